"""The limit of a run: a number of optimizer steps, or a time from its start to its report."""

import re
from dataclasses import dataclass

UNITS = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[smh])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smh])")


@dataclass(frozen=True)
class Budget:
    """At most one of both is set; with neither there is no limit."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, value: int | str | None) -> "Budget":
        """Raises ValueError where `value` is neither a count nor a time above 0."""
        if value is None:
            return cls()
        text = str(value).replace(" ", "").lower()
        if text.isdecimal() and int(text) > 0 and not isinstance(value, bool):
            return cls(steps=int(text))
        seconds = (
            sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text)) if _TIME.fullmatch(text) else 0
        )
        if not seconds > 0:
            raise ValueError(f"must be optimizer steps (2000) or a time (90s, 15m, 1h30m), got {value}")
        return cls(seconds=seconds)

    def doubled(self) -> str:
        """Twice the limit, as it is written on the command line."""
        if self.steps is not None:
            return str(2 * self.steps)
        return f"{2 * self.seconds / 60:g}m" if self.seconds is not None else "null"
