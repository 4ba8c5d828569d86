"""What a teacher's tokens cost: as the user says, else by the dated table `prices.toml`."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

DATED = r"(?:-\d{4}-\d{2}-\d{2}|-\d{8}|-latest)?"  # a version of the same model


@dataclass(frozen=True)
class Prices:
    """The prices of a million tokens. None where they are not known."""

    into: float | None = None
    out: float | None = None
    currency: str = ""  # "" where the user gave the prices
    as_of: str = ""  # the date of the table

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        if self.into is None and self.out is None:
            return None
        return (input_tokens * (self.into or 0.0) + output_tokens * (self.out or 0.0)) / 1e6


def usual_prices(host: str, model: str, batch: bool = False) -> Prices:
    """By the table; unknown where it does not have this model of this server."""
    table = _table()
    for name, (into, out) in table.get(host, {}).items():
        if re.fullmatch(re.escape(name) + DATED, model):
            share = table["batch"].get(host, 1.0) if batch else 1.0
            return Prices(share * into, share * out, table["currency"], str(table["as_of"]))
    return Prices()


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("byheart.teacher").joinpath("prices.toml").read_text(encoding="utf-8"))
