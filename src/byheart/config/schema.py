"""Allowed values of a setting: its annotated type, and a rule where the type is not enough."""

import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass

from byheart.errors import Problem

TYPES: dict[object, tuple[tuple[type, ...], str]] = {  # annotation -> accepted types, how a message names them
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    tuple: ((list, tuple), "a list like [a,b]"),
    list: ((list, tuple), "a list like [a,b]"),
    dict: ((dict,), "a mapping like {a: 1}"),
    type(None): ((type(None),), "null"),
}


@dataclass(frozen=True)
class Rule:
    """The allowed values of a plain key."""

    kind: object  # the annotated type
    words: str  # completes "must be ..."
    holds: Callable[[typing.Any], object] = lambda value: True  # asked only where the type is right
    fix: str = ""

    def problem(self, key: str, value: object) -> Problem | None:
        if not type_problem(self.kind, value) and self.holds(value):
            return None
        return Problem(f"must be {self.words}", key, shown(value), self.fix)


def type_problem(hint: object, value: object) -> str:
    """What a value must be, where it is not of the annotated type; "" where it is, or where any type will do."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        wrong = [type_problem(argument, value) for argument in arguments]
        return "" if "" in wrong else " or ".join(dict.fromkeys(wrong))
    kind = origin or hint
    if kind not in TYPES:
        return ""
    accepted, words = TYPES[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        return words
    if isinstance(value, float) and not math.isfinite(value):
        return words
    if isinstance(value, list | tuple) and arguments:
        several = kind is list or Ellipsis in arguments
        if not several and len(arguments) != len(value):
            return f"a list of {len(arguments)} values"
        inner = arguments[:1] * len(value) if several else arguments
        return next((f"a list, each {wrong}" for wrong in map(type_problem, inner, value) if wrong), "")
    return ""


def shown(value: object) -> str:
    """A value as a message repeats it, cut at 80 characters."""
    text = "null" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
