"""`byheart --help`: reads the shipped YAML files as text, because importing Hydra would take ten times as long."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from byheart.config.folders import conf_folder, sweeps_folder

WIDTH = 80


@dataclass(frozen=True)
class Command:
    """What the help shows of one command."""

    name: str
    line: str  # what it does, in one line
    usage: str
    examples: tuple[tuple[str, str], ...]  # (command line, what it is for)
    settings: bool = True  # whether keys and groups are listed
    groups: tuple[str, ...] = ()  # else these groups alone
    sweeps: bool = False  # whether the shipped sweeps are listed


def overview(commands: tuple[Command, ...]) -> str:
    """What `byheart --help` prints."""
    lines = [
        "byheart teaches a language model your documents by heart, and proves it.",
        "",
        _bold("usage") + "  byheart <command> [key=value ...]",
        "",
        _bold("commands"),
        *_table([(command.name, command.line) for command in commands]),
        "",
        _bold("first steps"),
        *_examples(tuple(example for command in commands for example in command.examples[:1])),
        "",
        "byheart <command> --help lists its keys and groups; byheart --version",
    ]
    return "\n".join(lines)


def page(command: Command) -> str:
    """What `byheart <command> --help` prints."""
    lines = [*wrap(f"byheart {command.name}: {command.line}", WIDTH), "", _bold("usage") + f"  {command.usage}"]
    lines += ["", _bold("examples"), *_examples(command.examples)]
    source = (conf_folder() / "learn.yaml").read_text(encoding="utf-8")
    groups = re.finditer(r"^ {2}- (\w+): (.+)$", source, re.M)
    chosen = {found[1]: found[2].partition(" #")[0].strip() for found in groups}
    if command.sweeps:
        found = sorted(sweeps_folder().glob("*.yaml"))
        lines += ["", _bold("sweeps") + "  or a YAML file of your own"]
        lines += _table([(f.stem, one_line(f).removeprefix("Lab note: ")) for f in found], 16)
        lines += ["", "All keys and groups of `byheart learn --help` can be used here too."]
    if command.groups:
        lines += ["", _bold("groups") + "  that can be changed; * is the default"]
        for group in command.groups:
            lines += _members(group, chosen[group])
        lines += ["", "All other settings stay as in the run."]
    if not command.settings:
        return "\n".join(lines)
    plain = [(key, default, comment) for section, key, default, comment in _keys(source) if not section]
    sections = [(f"{section}.{key}", default, comment) for section, key, default, comment in _keys(source) if section]
    lines += ["", _bold("keys") + "  with their defaults", *_settings(plain)]
    lines += ["", _bold("sections"), *_settings(sections)]
    one, several = "like adapter=full; * is the default", "like expansion=[rules,file] or +evaluation=NAME"
    for title, how, is_list in (("with one choice", one, False), ("with several members", several, True)):
        lines += ["", f"{_bold(f'groups {title}')}  {how}"]
        for group, members in chosen.items():
            lines += _members(group, members) if members.startswith("[") == is_list else ()
    lines += [
        "",
        _bold("flags") + "  Hydra's own",
        *_table(
            [
                ("--cfg job", "print the composed config, with every key of each part, and stop"),
                ("-m, --multirun", "one run for each value: byheart learn -m lr=1e-4,3e-4"),
                ("-cd DIR -cn NAME", "a config of your own: DIR/NAME.yaml"),
                ("--info", "where each value comes from"),
                ("-sc install=bash", 'tab completion: eval "$(byheart -sc install=bash)"'),
            ],
            least=20,
        ),
    ]
    return "\n".join(lines)


def one_line(path: Path) -> str:
    """The first comment of a YAML file, after an optional `# @package` line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# @package"):
            continue
        return line.lstrip("# ").strip() if line.startswith("#") else ""
    return ""


def _keys(source: str) -> Iterator[tuple[str, str, str, str]]:
    """(section, key, default, comment) of each setting of learn.yaml, in its order."""
    section = ""
    for line in source.splitlines():
        found = re.match(r"( {2})?(\w+):(?: +(.*?))?(?: +# (.*))?$", line)
        if not found:
            continue
        inner, key, default, comment = found.groups()
        if not inner:
            section = "" if default else key
        if default and not key.startswith("_") and section not in ("defaults", "hydra"):
            yield section, key, default, comment or ""


def _members(group: str, chosen: str) -> Iterator[str]:
    defaults = re.findall(r"\w+", chosen)
    files = sorted((conf_folder() / group).glob("*.yaml"))
    yield f"  {_bold(group)}"
    yield from _table([(f"{'*' if f.stem in defaults else ' '} {f.stem}", one_line(f)) for f in files], 16, indent=4)


def _settings(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    wide = max(len(key) for key, _, _ in rows)
    yield from _table([(f"{key.ljust(wide)}  {default}", comment) for key, default, comment in rows])


def _table(rows: list[tuple[str, str]], least: int = 0, indent: int = 2) -> Iterator[str]:
    left = max(least, *(len(name) for name, _ in rows)) + 2
    for name, text in rows:
        first, *rest = wrap(text, WIDTH - indent - left) or [""]
        yield f"{' ' * indent}{name.ljust(left)}{first}".rstrip()
        yield from (" " * (indent + left) + line for line in rest)


def _examples(examples: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for line, purpose in examples:
        yield f"  {line}"
        yield f"      {_dim(purpose)}"


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if _colours() else text


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if _colours() else text


def _colours() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
