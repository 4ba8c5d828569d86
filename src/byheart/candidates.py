"""`byheart bases`: from its words to a checked plan, with every problem of the arguments at once.

What is wrong with one base alone is no problem of the arguments: it stands in the table.
"""

from collections.abc import Sequence
from pathlib import Path

from byheart.checked import Checked, check, folder_is_given
from byheart.choosing.records import Candidate, Plan
from byheart.config.advice import did_you_mean
from byheart.config.compose import Composer, Request, read_request
from byheart.config.keys import known_keys
from byheart.config.near import near
from byheart.config.quoting import file_exists, names_in, unquoted
from byheart.errors import Problem, UserError

OWN = ("models", "steps", "sample")
STEPS, SAMPLE = 50, 40
ITS_OWN = ("model", "model.path", "model.hub_id", "model.revision")  # what `models` says for each base
OFFLINE = "with a network give the same command again, or name a local folder"
NEVER = ("resume", "run")
EXAMPLE = "models=[smollm2_135m,DIR,OWNER/NAME]"


def read_bases(words: Sequence[str]) -> Plan:
    """The checked plan. Raises one UserError with every problem of the arguments, or where no base is left."""
    own = {key: [word.partition("=")[2] for word in words if word.startswith(f"{key}=")] for key in OWN}
    rest = [word for word in words if word.partition("=")[0] not in OWN]
    names = list(dict.fromkeys(name for value in own["models"] for name in _listed(value)))
    steps, wrong_steps = _count(own["steps"], "steps", STEPS, 0)
    sample, wrong_sample = _count(own["sample"], "sample", SAMPLE, 1)
    problems, misspelled = [*wrong_steps, *wrong_sample], [word for word in rest if _meant(word)]
    problems += [
        Problem("there is no such setting", *word.partition("=")[::2], fix=f"did you mean {_meant(word)}?")
        for word in misspelled
    ]
    refused = {word: problem for word in rest if (problem := _refused(word))}
    problems += refused.values()
    rest = [word for word in rest if word not in (*misspelled, *refused)]
    if not names and not any(word.startswith(ITS_OWN[:2]) for word in refused):
        problems.append(Problem("which bases are to be compared?", "models", fix=f"name two or more: {EXAMPLE}"))
    request = read_request(rest)
    folder = Path(request.value("hydra.run.dir") or "") if folder_is_given(request) else None
    if folder and (folder / ".hydra").is_dir():
        problems.append(
            Problem("this folder contains a run", "hydra.run.dir", str(folder), "choose another, or leave it out")
        )
    candidates, found = _candidates(names or ["smollm2_135m"], rest)
    problems += found
    lost = [Problem(each.reason, "models", each.name, each.fix) for each in candidates if each.reason]
    if problems:
        raise UserError(*dict.fromkeys([*problems, *(lost if names else ())]))
    if len(lost) == len(candidates):
        raise UserError(*lost)
    return Plan(tuple(candidates), steps, sample, tuple(rest), folder)


def _listed(value: str) -> list[str]:
    """The names of a list; an existing name may hold commas."""
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    found = names_in(inner) or [unquoted(part.strip()) for part in inner.split(",")]
    return [name for name in found if name]


def _count(given: Sequence[str], key: str, default: int, least: int) -> tuple[int, list[Problem]]:
    said = given[-1] if given else str(default)
    if said.isascii() and said.isdigit() and least <= int(said) <= 100_000:
        return int(said), []
    return default, [
        Problem(f"must be a whole number from {least} to 100000", key, said, f"leave it out for {key}={default}")
    ]


def _meant(word: str) -> str:
    """Which key of this command is meant by a word that `learn` does not know either; "" for all others."""
    key, equals, value = word.partition("=")
    if not equals or key.partition(".")[0].lstrip("+~") in (*known_keys(), "hydra") or word.startswith("-"):
        return ""
    keys = near(key, OWN, 1) or (["models"] if key in ("bases", "base", "candidates") else [])
    return f"{keys[0]}={value}" if keys else ""


def _refused(word: str) -> Problem | None:
    """The problem of a word that has no place here."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~")
    if key in ITS_OWN:
        return Problem("bases are named with models", key, value, f"models=[{value.strip('[]')}]")
    if key in NEVER and value not in ("", "null"):
        fix = "remove it; the same command again goes on where it stopped"
        return Problem("this command starts no run and continues none", key, value, fix)
    if word in ("-m", "--multirun"):
        return Problem("this command compares models only", word, fix="byheart sweep NAME compares settings")
    return None


def _candidates(names: Sequence[str], rest: Sequence[str]) -> tuple[list[Candidate], list[Problem]]:
    """Each base with its config or what is wrong with it; and the problems of the settings that all of them have."""
    shipped = _options(read_request(rest))
    settings = {name: f"model={name}" if name in shipped else f"model.path={name}" for name in names}
    checked = {name: _checked([setting, *rest]) for name, setting in settings.items()}
    found = [each for each in checked.values() if not isinstance(each, Checked)]
    common = [
        problem
        for problem in (found[0] if found and len(found) == len(checked) else ())
        if problem.where not in ITS_OWN and all(problem in each for each in found)
    ]
    candidates = []
    for name, setting in settings.items():
        each = checked[name]
        if isinstance(each, Checked):
            unreached = each.run_configs[0].model.unverified.partition(": ")[2]
            config = None if unreached else each.run_configs[0]  # to load it would take a minute, and fail
            candidates.append(Candidate(name, setting, config, unreached, OFFLINE if unreached else ""))
            continue
        own = [problem for problem in each if problem not in common]
        if not own:
            candidates.append(Candidate(name, setting))
            continue
        first, *others = own
        fix = did_you_mean(name, shipped, first.fix) if not file_exists(name) else first.fix
        more = f"; {'; '.join(problem.what for problem in others)}" if others else ""
        candidates.append(Candidate(name, setting, None, f"{first.what}{more}", fix.replace("model.path=", "")))
    return candidates, common


def _checked(words: Sequence[str]) -> Checked | tuple[Problem, ...]:
    try:
        return check(read_request(words))
    except UserError as error:
        return error.problems


def _options(request: Request) -> list[str]:
    """The options of the group `model`, those of the user's folder of configs too."""
    try:
        return Composer(request.flags.config_dir).options("model")
    except UserError:
        return Composer().options("model")
