"""Trains many settings and keeps the best.

`byheart.sweep` is this package and, in the Python interface, a function: so the package can be called.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byheart.results import SweepResult


class _Callable(ModuleType):
    def __call__(self, *words: object, **options: object) -> "SweepResult":
        """See `byheart.interface.sweep`, which stands above this room: looked up when it is called."""
        result: SweepResult = import_module("byheart.interface").sweep(*words, **options)
        return result


sys.modules[__name__].__class__ = _Callable
