"""File names as a user types them, quoted for Hydra's grammar.

A name may contain spaces, brackets, commas, `=`, quotes, `$` or any script's letters. A value that
is the name of an existing file is taken literally. A value that Hydra reads as a list, a sweep or a quoted text stays.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser

PATHS = re.compile(r"^\+{0,2}(documents|questions|run|resume|(.+\.)?path|hydra\.(run|sweep)\.(dir|subdir))$")
TEXTS = re.compile(r"^\+{0,2}(name|(.+\.)?(revision|hub_id))$")


# Mappings that take any key: Hydra wants ++ before a key that they do not hold yet.
OPEN = re.compile(r"^(teacher\.extra|model\.template_args)(\..+)?$")


def quote_overrides(overrides: Sequence[str], multirun: bool = False) -> list[str]:
    """The same overrides, quoted so that Hydra reads them as the user meant."""
    return [_quote_override(override, multirun) for override in overrides]


def quoted(text: str) -> str:
    """A text that Hydra and OmegaConf give back unchanged, whatever it holds."""
    from hydra.core.override_parser.types import Quote, QuotedString

    # OmegaConf would resolve ${...} inside a file's name; a backslash before it stops that and must itself be doubled
    escaped = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def in_hydras_grammar(value: object, text: Callable[[str], str]) -> str:
    """A value as the command line would say it; `text` writes the strings."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{in_hydras_grammar(each, text)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(in_hydras_grammar(each, text) for each in value) + "]"
    return str(value) if isinstance(value, int | float) else text(str(value))


def _quote_override(override: str, multirun: bool) -> str:
    key, equals, value = override.partition("=")
    if not equals or not value:
        return override
    if OPEN.match(key) and not (multirun and _kind(value) == "sweep"):
        return f"++{override}"
    if PATHS.match(key):
        value = at_home(value)
        return f"{key}={_quote_paths(value, multirun, several=key.lstrip('+') == 'documents')}"
    if TEXTS.match(key) and _kind(value) == "other":
        return f"{key}={quoted(value)}"
    return override


def _quote_paths(value: str, multirun: bool, several: bool) -> str:
    if file_exists(value):
        return _quote_if_needed(value)
    kind = _kind(value)
    if kind in ("text", "quoted", "interpolation") or (kind == "list" and {"'", '"'} & set(value)):
        return value  # plain, or quoted already
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    # One path key takes one path: names with commas between them are a sweep, if one of them exists.
    listed = (inner != value or "," in value) if several else multirun and kind == "other" and inner == value
    if listed and (names := names_in(inner)) is not None:
        joined = ",".join(map(_quote_if_needed, names))
        return joined if multirun and inner == value else f"[{joined}]"
    if kind == "list" or (kind == "sweep" and (multirun or "(" in value)):
        return value
    return quoted(value)


def names_in(text: str) -> list[str] | None:
    """The names in a comma-separated list, where at least one of them exists; a name may itself hold commas."""
    parts, names, start = text.split(","), [], 0
    while start < len(parts):
        joined = {end: ",".join(parts[start:end]).strip() for end in range(len(parts), start, -1)}
        end = next(
            (end for end, name in joined.items() if file_exists(name)), start + 1
        )  # the longest name that exists
        names.append(joined[end] if file_exists(joined[end]) else unquoted(joined[end]))
        start = end
    return list(filter(None, names)) if any(map(file_exists, names)) else None


def unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _quote_if_needed(text: str) -> str:
    # a word that is plain alone may not be so before a comma or bracket: a\\, for example
    return text if re.fullmatch(r"[\w./ -]*[\w./-]", text, re.A) and _kind(text) == "text" else quoted(text)


def at_home(path: str) -> str:
    """Expands ~: no shell does so after `key=`."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        return path


def file_exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long for a name, or a NUL byte
        return False


def _kind(value: str) -> str:
    """How Hydra would read a value: text (just as it stands), quoted, interpolation, list, sweep or other."""
    from hydra.core.override_parser.types import QuotedString
    from hydra.errors import HydraException

    try:
        override = _parser().parse_override(f"key={value}")
    except (HydraException, RecursionError):
        return "other"
    if override.is_sweep_override():
        return "sweep"
    parsed = override._value
    if isinstance(parsed, list):
        return "list"
    if isinstance(parsed, QuotedString) or (parsed is None and value.lower() == "null"):
        return "quoted"
    if isinstance(parsed, str) and "${" in parsed:
        return "interpolation"
    return "text" if isinstance(parsed, str) and parsed == value else "other"


@cache
def _parser() -> "OverridesParser":
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()
