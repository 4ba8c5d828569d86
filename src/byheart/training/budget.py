"""How much a run may take: optimizer steps, or time from its first second to its report."""

import re
from dataclasses import dataclass

UNITS = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[smh])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smh])")


@dataclass(frozen=True)
class Budget:
    """One of both at most; neither is no budget."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, said: int | str | None) -> "Budget":
        """Raises ValueError where `said` is neither a count nor a time above 0."""
        if said is None:
            return cls()
        text = str(said).replace(" ", "").lower()
        if text.isdecimal() and int(text) > 0 and not isinstance(said, bool):
            return cls(steps=int(text))
        seconds = (
            sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text)) if _TIME.fullmatch(text) else 0
        )
        if not seconds > 0:
            raise ValueError(f"must be optimizer steps (2000) or a time (90s, 15m, 1h30m), got {said}")
        return cls(seconds=seconds)

    def doubled(self) -> str:
        """Twice as much, as it is said on the command line."""
        if self.steps is not None:
            return str(2 * self.steps)
        return f"{2 * self.seconds / 60:g}m" if self.seconds is not None else "null"
