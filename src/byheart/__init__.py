"""Teaches a language model documents by heart, and proves it: `from byheart import learn, expand, bases, ...`."""

TYPE_CHECKING = False  # as type checkers know it; typing takes a third of the time of `byheart --help`

if TYPE_CHECKING:
    from byheart.interface import ask, bases, evaluate, expand, learn, sweep

__all__ = ["ask", "bases", "evaluate", "expand", "learn", "sweep"]


def __getattr__(name: str) -> object:
    """Imported at first use: `import byheart` loads nothing else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    # byheart.sweep is a package, too, and callable
    return import_module("byheart.sweep") if name == "sweep" else getattr(import_module("byheart.interface"), name)
