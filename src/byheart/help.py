"""`byheart --help`: reads the shipped YAML files as text, because importing Hydra would take ten times as long."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from byheart.config.folders import conf_folder, sweeps_folder

WIDTH = 80
Row = tuple[str, str, str]  # key, default, comment
NOT_HERE = ("run",)  # of `evaluate`, which names it among its words
FLAGS = [
    ("--dry-run", "check the settings, and start nothing"),
    ("-m, --multirun", "one run for each value: byheart learn -m lr=1e-4,3e-4"),
    ("--cfg job", "print the composed config, with every key of each part, and stop"),
    ("-cd DIR -cn NAME", "a config of your own: DIR/NAME.yaml"),
    ("--info", "where each value comes from"),
    ("-sc install=bash", 'tab completion: eval "$(byheart -sc install=bash)"'),
]


@dataclass(frozen=True)
class Command:
    """What the help shows of one command."""

    name: str
    line: str  # what it does, in one line
    usage: str
    examples: tuple[tuple[str, str], ...]  # (command line, what it is for)
    settings: bool = True  # whether keys of learn.yaml are listed, and the flags
    keys: tuple[str, ...] = ()  # these keys and sections alone; () for all
    groups: tuple[str, ...] = ()  # these groups alone; () for all where `settings`
    arguments: tuple[tuple[str, str], ...] = ()  # the command's own words, each with what it is
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
        "byheart <command> --help lists its keys and groups, with --all everything.",
        "byheart --version tells the version.",
    ]
    return "\n".join(lines)


def page(command: Command, every: bool = False) -> str:
    """What `byheart <command> --help` prints. `every`: with each option of each group, and the keys of these options."""
    lines = [*wrap(f"byheart {command.name}: {command.line}", WIDTH), "", _bold("usage") + f"  {command.usage}"]
    lines += ["", _bold("examples"), *_examples(command.examples)]
    if command.arguments:
        lines += ["", _bold("words"), *_table(list(command.arguments), 16)]
    if command.sweeps:
        found = sorted(sweeps_folder().glob("*.yaml"))
        lines += ["", _bold("sweeps") + "  or a YAML file of your own"]
        lines += _table([(f.stem, one_line(f).removeprefix("Lab note: ")) for f in found], 16)
        own = _keys((conf_folder() / "hydra/sweeper/byheart_optuna.yaml").read_text(encoding="utf-8"))
        lines += ["", _bold("keys of the study") + "  with their defaults"]
        lines += _settings([(f"hydra.sweeper.{key}", default, text) for _, key, default, text in own if text])
        lines += ["", "All keys and groups of `byheart learn --help` can be used here too."]
    source = (conf_folder() / "learn.yaml").read_text(encoding="utf-8")
    if command.settings:
        lines += _plain_keys(source, command.keys)
    if command.settings or command.groups:
        lines += _groups(source, command, every)
    if command.settings or command.sweeps:
        flags = [flag for flag in FLAGS if not (command.sweeps and "multirun" in flag[0])]
        lines += ["", _bold("flags"), *_table(flags if every else flags[:3], least=20)]
        lines += ["", "`--key value` is read as key=value."]
    if command.name == "bases":
        lines += [
            "",
            *wrap("All keys and groups of `byheart learn --help` can be used here too, but for model.", WIDTH),
        ]
    if command.name == "evaluate":
        lines += ["", "All other settings stay as in the run."]
    return "\n".join(lines)


def one_line(path: Path) -> str:
    """The first comment of a YAML file, after an optional `# @package` line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# @package"):
            continue
        return line.lstrip("# ").strip() if line.startswith("#") else ""
    return ""


def _plain_keys(source: str, chosen: Sequence[str]) -> Iterator[str]:
    """The plain keys under the titles that learn.yaml gives them, then the sections."""
    titles: dict[str, list[Row]] = {}
    for title, key, default, comment in _keys(source):
        head, dot, _ = key.partition(".")
        if head not in ("defaults", "hydra", *NOT_HERE) and (not chosen or head in chosen):
            titles.setdefault("sections" if dot else title, []).append((key, default, comment))
    for title, rows in titles.items():
        yield from ("", _bold(title), *_settings(rows))


def _groups(source: str, command: Command, every: bool) -> Iterator[str]:
    """The groups with their options: the names alone, or each option with its line and the group's keys."""
    groups = re.finditer(r"^ {2}- (\w+): (.+)$", source, re.M)
    chosen = {found[1]: found[2].partition(" #")[0].strip() for found in groups}
    shown = {group: chosen[group] for group in chosen if not command.groups or group in command.groups}
    several = [group for group, options in shown.items() if options.startswith("[")]
    how = f"{several[0]}=[a,b] takes several" if several else ""
    if not every:
        how = f"like adapter=full; {how}" if "adapter" in shown else how
        yield from ("", f"{_bold('groups')}  {how}".rstrip())
        names = [(group, _names(group, options)) for group, options in shown.items()]
        yield from _table(names, 10)
        yield from ("", f"byheart {command.name} --help --all explains each option, and lists its keys.")
        return
    for group, options in shown.items():
        kind = f"{group}=[a,b] or +{group}=a" if group in several else f"{group}=NAME"
        yield from ("", f"{_bold(group)}  {kind}; * is the default", *_members(group, options))
        parts: dict[str, list[Row]] = {}
        for row in _keys_of(group, options):
            parts.setdefault(".".join(row[0].split(".")[: 1 + (group in several)]), []).append(row)
        for rows in parts.values():
            yield from ("", *_settings(rows))


def _names(group: str, chosen: str) -> str:
    """The default first, with a star."""
    defaults = re.findall(r"\w+", chosen)
    names = sorted(
        (path.stem for path in (conf_folder() / group).glob("*.yaml")), key=lambda name: (name not in defaults, name)
    )
    return ", ".join(f"*{name}" if name in defaults else name for name in names)


def _keys_of(group: str, chosen: str) -> list[Row]:
    """The keys that the options of a group have; the defaults and the comments are those of the default option first."""
    defaults = re.findall(r"\w+", chosen)
    files = sorted((conf_folder() / group).glob("*.yaml"), key=lambda path: (path.stem not in defaults, path))
    found: dict[str, Row] = {}
    for path in files:
        source = path.read_text(encoding="utf-8")
        package = source.partition("# @package ")[2].partition("\n")[0] or group
        prefix = "" if package == "_global_" else f"{package}."
        for _, key, default, comment in _keys(source):
            name = f"{prefix}{key}"
            if name.startswith(f"{group}."):
                known = found.get(name, (name, default, comment))
                found[name] = known if known[2] else (name, known[1], comment)
    return list(found.values())


def _keys(source: str) -> Iterator[tuple[str, str, str, str]]:
    """(title, dotted key, default, comment) of each value in a YAML file, in its order. The title is the comment above."""
    title, above = "", list[tuple[int, str]]()
    for line in source.splitlines():
        if line.startswith("# "):
            title = line[2:]
        found = re.match(r"( *)(\w+):(?: +([^#\s].*?))?(?: +# (.*))?$", line)
        if not found:
            continue
        indent, key, default, comment = len(found[1]), found[2], found[3], found[4] or ""
        above = [(depth, name) for depth, name in above if depth < indent]
        if default and not key.startswith("_"):
            yield title, ".".join([*(name for _, name in above), key]), default, comment
        above.append((indent, key))


def _members(group: str, chosen: str) -> Iterator[str]:
    defaults = re.findall(r"\w+", chosen)
    files = sorted((conf_folder() / group).glob("*.yaml"))
    yield from _table([(f"{'*' if f.stem in defaults else ' '} {f.stem}", one_line(f)) for f in files], 16)


def _settings(rows: Sequence[Row]) -> Iterator[str]:
    """Key, default and comment in columns; a long key or default has the comment below it."""
    wide = min(38, max(len(key) for key, _, _ in rows))
    usual = [len(default) for _, default, _ in rows if len(default) <= 14]
    far = wide + 2 + max(usual, default=0)
    for key, default, comment in rows:
        head = f"{key.ljust(wide)}  {default}"
        lines = wrap(comment, WIDTH - far - 4)
        if len(head) > far:
            yield from wrap(head, WIDTH, initial_indent="  ", subsequent_indent=" " * (wide + 4))
            head = ""
        for line in lines or [""] * bool(head):
            yield f"  {head.ljust(far)}  {line}".rstrip()
            head = ""


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
