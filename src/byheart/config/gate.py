"""The one gate before a composed config is used: a stranger's YAML, a saved run, `best.yaml`, a folder of `-cd`.

What is typed on the command line is the user's own. What stands in a file may be a stranger's: a file names only the classes
of `trust.py`, does not read the environment, and does not say which of the user's variables is sent to which server.
docs/security.md lists every way in, with the test that tries it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError
from omegaconf.grammar_parser import parse
from omegaconf.resolvers import oc

from byheart.config.trust import foreign_targets, leaves, secrets_in
from byheart.errors import Problem, UserError
from byheart.store import cache_folder, read_json, write_json

MOST_NODES = 100_000  # of a config; a shipped one has about 400
RESOLVERS = ("now", "hydra", "run_name", "python_version")  # that a config may call
CLOSED: dict[str, Any] = {  # they make what no check has seen
    "oc.env": oc.env,
    "oc.create": oc.create,
    "oc.decode": oc.decode,
}
NO_ENVIRONMENT = "a config may not read the environment, which holds keys and passwords"
NO_RESOLVER = "a config may not call this resolver"

LOGGING = ("hydra.job_logging.", "hydra.hydra_logging.")
LOGGING_CLASSES = (
    "logging.Formatter", "logging.StreamHandler", "logging.FileHandler", "logging.NullHandler",
    "logging.handlers.RotatingFileHandler", "colorlog.ColoredFormatter",
)  # fmt: skip
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
IN_THE_RUN = re.compile(r"\$\{hydra\.(runtime\.output_dir|run\.dir|sweep\.dir)\}(/(?!\.\.)[^/$]+)+")

HARMLESS = re.compile(
    r"(OMP|MKL|OPENBLAS|NUMEXPR|NCCL|PYTORCH)_\w+|CUDA_VISIBLE_DEVICES|TOKENIZERS_PARALLELISM|PYTHONHASHSEED"
)
COMMANDS = re.compile(r"setup|command|python|srun_args|additional_parameters|runtime_env|py_executable")
TYPED = "give it on the command line, where it is your own"

APPROVED = "approved_variables.json"  # in the cache folder
SENT = ("api_key_env", "storage_env")
OWN_VARIABLE = re.compile(r"BYHEART_\w+")
PROVIDERS = {  # a file may name the key of a provider together with the provider's own server
    "OPENAI_API_KEY": "openai.com", "OPENROUTER_API_KEY": "openrouter.ai", "MISTRAL_API_KEY": "mistral.ai",
    "GROQ_API_KEY": "groq.com", "TOGETHER_API_KEY": "together.xyz", "DEEPSEEK_API_KEY": "deepseek.com",
    "FIREWORKS_API_KEY": "fireworks.ai", "ANTHROPIC_API_KEY": "anthropic.com", "GEMINI_API_KEY": "googleapis.com",
}  # fmt: skip


def gate(config: Any, typed: Collection[str] = ()) -> list[Problem]:
    """All that a config (a plain container, not resolved) may not do. `typed`: the keys given on the command line."""
    return [
        *secrets_in(config),
        *foreign_targets(config),
        *_resolvers(config),
        *_logging(config),
        *_hydras_own(config, typed),
    ]


def variables_sent(config: Any, typed: Collection[str] = ()) -> list[Problem]:
    """The user's environment variables that a file alone would have sent to a server."""
    problems = []
    for where, name in leaves(config):
        parent, _, last = where.rpartition(".")
        if last not in SENT or name is None or OWN_VARIABLE.fullmatch(str(name)):
            continue
        address = str(_at(config, f"{parent}.base_url") or "https://api.openai.com")
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
        if where in typed:
            _approve(str(name), host)
        if where in typed or [str(name), host] in _approved():
            continue
        home = PROVIDERS.get(str(name))
        if home and (host == home or host.endswith(f".{home}")) and last == "api_key_env":
            continue
        what = "a file may not choose which of your environment variables is sent to a server"
        fix = f"if you trust {host if last == 'api_key_env' else 'it'}, type it: {where}={name} (or use a variable BYHEART_...)"
        problems.append(Problem(what, where, str(name), fix))
    return problems


def _approved() -> list[list[str]]:
    """[variable, server] of what the user has typed before: a run that was stopped goes on without it."""
    file = cache_folder() / APPROVED
    try:
        found = read_json(file) if file.is_file() else []
    except UserError:  # damaged: it is typed again
        found = []
    return found if isinstance(found, list) else []


def _approve(name: str, host: str) -> None:
    known = _approved()
    if [name, host] not in known:
        with suppress(OSError, UserError):  # a cache that cannot be written: it is typed again next time
            cache_folder().mkdir(parents=True, exist_ok=True)
            write_json(cache_folder() / APPROVED, [*known, [name, host]])


@contextmanager
def closed_resolvers() -> Iterator[None]:
    """While Hydra composes, nothing reads the environment: a defaults list is resolved before a check can see it."""
    try:
        for name in CLOSED:
            OmegaConf.register_new_resolver(name, _refusal(name), replace=True)
        yield
    finally:
        for name, resolver in CLOSED.items():
            OmegaConf.register_new_resolver(name, resolver, replace=True)


def _refusal(name: str) -> Any:
    def refused(*_: object) -> NoReturn:
        raise ValueError(NO_ENVIRONMENT if name == "oc.env" else f"{NO_RESOLVER}: {name}")

    return refused


def _resolvers(config: Any) -> list[Problem]:
    """Every `${name:...}` but the few that look at the run itself."""
    problems = []
    for where, value in leaves(config):
        for name in _called(value) if isinstance(value, str) and "${" in value else ():
            what = NO_ENVIRONMENT if name == "oc.env" else NO_RESOLVER
            fix = f"write the value itself; allowed are {', '.join(RESOLVERS)} and ${{other.key}}"
            problems += [] if name in RESOLVERS else [Problem(what, where, str(value), fix)]
    return problems


def _called(value: str) -> Iterator[str]:
    """The names of the resolvers in a value, as OmegaConf's own parser reads it; a name may be built by another."""
    try:
        open_nodes = [parse(value)]
    except GrammarParseError:
        return  # no value could be made of it; reported where it is resolved
    while open_nodes:
        node = open_nodes.pop()
        if type(node).__name__ == "ResolverNameContext":
            yield node.getText()
        open_nodes += getattr(node, "children", None) or []


def _logging(config: Any) -> list[Problem]:
    """`logging.config` calls whatever `()`, `class` and `ext://` name."""
    problems = []
    for where, value in leaves(config):
        if not where.startswith(LOGGING) or value is None:
            continue
        last = where.rpartition(".")[2]
        calls = last in ("()", "class", "factory", "fn", "func") and value not in LOGGING_CLASSES
        reads = re.search(r"\w+://", str(value)) and value not in STREAMS
        writes = last == "filename" and not IN_THE_RUN.fullmatch(str(value).replace("${hydra.job.name}", "job"))
        if calls or reads or writes:
            fix = f"allowed are {', '.join(LOGGING_CLASSES)}, files below ${{hydra.runtime.output_dir}}, {' and '.join(STREAMS)}"
            problems.append(Problem("logging may not call or open this", where, str(value), fix))
    return problems


def _hydras_own(config: Any, typed: Collection[str]) -> list[Problem]:
    """Hydra's settings that set variables, run shell lines on a cluster, or write elsewhere."""
    problems = []
    copied = list(_at(config, "hydra.job.env_copy") or ()) if "hydra.job.env_copy" in typed else []
    for where, value in leaves(config):
        if not where.startswith("hydra.") or value in (None, False, ""):
            continue
        if any(where == key or where.startswith(f"{key}.") for key in typed):
            continue
        last = where.rpartition(".")[2]
        what = fix = ""
        if where.startswith("hydra.job.env_set.") and last not in copied and not HARMLESS.fullmatch(last):
            what, fix = "a file may not set this environment variable", f"set it in your shell: export {last}=..."
            value = "****"  # of `env_copy` it is the user's own
        elif where.startswith("hydra.launcher.") and COMMANDS.search(where):
            what, fix = "a file may not give commands to a launcher", TYPED
        elif where == "hydra.output_subdir" and not re.fullmatch(r"[\w.-]*\w", str(value)):
            what, fix = "this must be a plain name", "leave it out: .hydra"
        if what:
            problems.append(Problem(what, where, str(value), fix))
    return problems


def refuse_growth(file: Path) -> None:
    """Raises UserError where the aliases of a YAML file stand for more than `MOST_NODES` values."""
    known: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in known:
            known[id(node)] = 1  # of one that holds itself
            parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
            known[id(node)] += sum(map(size, parts)) if isinstance(node, yaml.CollectionNode) else 0
        return known[id(node)]

    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        count = size(root) if root else 0
    except Exception:  # any error of the YAML parser, deep nesting too: reading it reports the fault
        return
    if count > MOST_NODES:
        what = f"its aliases stand for {count:,} values, and a config may have {MOST_NODES:,}"
        raise UserError(Problem(what, str(file), fix="write the values out, or ask its author for a plain config"))


def refuse_packages(file: Path) -> None:
    """Raises UserError where a user's config has Hydra search a package, which would be imported before any check."""
    if file.is_file():
        refuse_growth(file)
    try:
        named = _at(OmegaConf.to_container(OmegaConf.load(file), resolve=False), "hydra.searchpath")
    except Exception:  # any error of the YAML parser: composing it reports the fault
        return
    said = [str(each) for each in (named if isinstance(named, list) else [named]) if each]
    if packages := [each for each in said if not each.startswith(("file://", "/", "."))]:
        what = "a file may not import a package"
        raise UserError(Problem(what, f"{file}: hydra.searchpath", ", ".join(packages), "name a folder: file://DIR"))


def _at(config: Any, path: str) -> Any:
    for key in path.split("."):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config
