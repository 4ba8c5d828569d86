"""What a sweep varies: Hydra's sweep strings as Optuna distributions, with the strings of the official plugin.

`choice(1,2,4)`, a bare list `1,2,4`, `range(1,8)` (both ends may be drawn, as in the official plugin), `interval(0.1,1)`,
`tag(log,interval(1e-5,1e-3))`, `int(interval(1,8))`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep, Transformer
from hydra.core.override_parser.types import Override as Parsed
from hydra.errors import HydraException

from byheart.config.quoting import in_hydras_grammar
from byheart.errors import Problem
from byheart.sweep.search.override import Override, as_yaml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float | bool | None  # as Optuna keeps it
Params = dict[str, Value]
WHERE = "hydra.sweeper.params"
EXAMPLE = "for example lr=tag(log,interval(1e-5,1e-3)) or batch_size=1,2,4"


class Space:
    """The swept keys with their distributions, in the order of the command line. `texts`: for each key the choices
    that are texts of Hydra's grammar, with their values in YAML."""

    def __init__(self, distributions: Mapping[str, "BaseDistribution"], texts: Mapping[str, Mapping[str, object]]):
        self.distributions, self.texts = dict(distributions), texts

    @classmethod
    def read(
        cls, lines: Sequence[str], loader: ConfigLoader | None = None
    ) -> "tuple[Space, list[Override], list[Problem]]":
        """The space of `key=value` strings, those that vary nothing, and what is wrong. A later one wins.

        `loader`: knows the options of groups, for `adapter=glob(*)`.
        """
        distributions: dict[str, BaseDistribution] = {}
        texts: dict[str, dict[str, object]] = {}
        fixed: dict[str, Override] = {}
        problems = []
        parser = OverridesParser.create(config_loader=loader)
        for line in lines:
            try:
                (parsed,) = parser.parse_overrides([line])
            except HydraException as error:
                problems.append(_problem(line, f"cannot be read: {str(error).splitlines()[0]}"))
                continue
            key = parsed.get_key_element()
            if not parsed.is_sweep_override():
                distributions.pop(key, None)
                fixed[key] = Override.read(parsed)
                continue
            fixed.pop(key, None)
            try:
                distributions[key] = _distribution(parsed)
                texts[key] = _texts(parsed)
            except (ValueError, HydraException) as error:
                problems.append(_problem(line, str(error).splitlines()[0]))
        space = cls(distributions, texts)
        if not distributions and not problems:
            problems.append(Problem("nothing varies", WHERE, fix=EXAMPLE))
        return space, list(fixed.values()), problems

    def kept(self, point: Mapping[str, object]) -> dict[str, Any]:
        """A point with values as YAML holds them, in the texts that Optuna keeps."""
        texts = {key: {str(value): text for text, value in self.texts.get(key, {}).items()} for key in point}
        return {key: texts[key].get(str(value), value) for key, value in point.items()}

    def without(self, key: str) -> "Space":
        return Space({name: each for name, each in self.distributions.items() if name != key}, self.texts)

    def values(self, key: str) -> Sequence[Value] | None:
        """Every value that the key may take, in order; None where there are infinitely many."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found = self.distributions[key]
        if isinstance(found, CategoricalDistribution):
            return list(found.choices)
        if isinstance(found, IntDistribution) and not found.log:
            return list(range(found.low, found.high + 1, found.step))
        if isinstance(found, FloatDistribution) and found.step:
            return [found.low + i * found.step for i in range(round((found.high - found.low) / found.step) + 1)]
        return [found.low] if isinstance(found, FloatDistribution) and found.single() else None

    def grid(self) -> list[Params] | None:
        """All combinations; None where there are infinitely many."""
        columns = [self.values(key) for key in self.distributions]
        if any(column is None for column in columns):
            return None
        rows = itertools.product(*(column for column in columns if column))
        return [dict(zip(self.distributions, row, strict=True)) for row in rows]

    def sobol(self, count: int, seed: int) -> list[Params]:
        """`count` points spread evenly (scrambled Sobol, from torch: Optuna's own would need scipy)."""
        from torch.quasirandom import SobolEngine

        draws = SobolEngine(len(self.distributions), scramble=True, seed=seed).draw(count).tolist()
        points = (zip(self.distributions, draw, strict=True) for draw in draws)
        return [{key: self._at(key, share) for key, share in point} for point in points]

    def overrides(self, params: Params) -> list[Override]:
        return [
            Override(key, self.texts.get(key, {}).get(str(value), value), f"{key}={in_hydras_grammar(value, str)}")
            for key, value in params.items()
        ]

    def ends(self, key: str) -> tuple[float, float]:
        """The lowest and the highest number that a key may take; zeros where it does not vary."""
        if key not in self.distributions:
            return 0, 0
        found: Any = self.distributions[key]
        numbers = getattr(found, "choices", None) or (found.low, found.high)
        return min(numbers), max(numbers)

    def as_text(self) -> dict[str, str]:
        """The space as the fingerprint and messages show it."""
        return {key: _as_text(distribution) for key, distribution in self.distributions.items()}

    def _at(self, key: str, share: float) -> Value:
        """The value that lies at a share of the way through the key's values."""
        values = self.values(key)
        if values is not None:
            return values[min(int(share * len(values)), len(values) - 1)]
        found: Any = self.distributions[key]
        if found.log:
            value = math.exp(math.log(found.low) + share * (math.log(found.high) - math.log(found.low)))
        else:
            value = found.low + share * (found.high - found.low)
        return found.low + round(value - found.low) if isinstance(found.low, int) else value


def in_short(params: Params) -> str:
    """A combination in few characters: the last part of each key, short numbers."""
    return " ".join(f"{key.rpartition('.')[2]}={brief(value)}" for key, value in params.items())


def row_of(params: Params) -> str:
    """The name of a table's row whose columns are epochs or steps."""
    return in_short({key: value for key, value in params.items() if key != "epochs"})


def brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _as_text(distribution: Any) -> str:
    if hasattr(distribution, "choices"):
        return ", ".join(map(str, distribution.choices))
    step = f" by {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low} to {distribution.high}{step}{', logarithmic' if distribution.log else ''}"


def _distribution(parsed: Parsed) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = parsed.value()
    if isinstance(value, IntervalSweep):
        low, high, log = value.start, value.end, "log" in value.tags
        if low is None or high is None or not low <= high:
            raise ValueError(f"the interval's ends must rise, got {low} and {high}")
        if log and low <= 0:
            raise ValueError(f"a logarithmic interval begins above 0, got {low}")
        if isinstance(low, int) and isinstance(high, int):  # Hydra makes floats of both unless int(...) says otherwise
            return IntDistribution(int(low), int(high), log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(value, RangeSweep) and not value.shuffle:
        start, stop, step = value.start, value.stop, value.step
        if start is None or stop is None or not start < stop or not step > 0:
            raise ValueError(f"the range must rise, got {start} to {stop} by {step}")
        if all(isinstance(each, int) for each in (start, stop, step)):
            return IntDistribution(int(start), int(stop) - (int(stop) - int(start)) % int(step), step=int(step))
        return FloatDistribution(float(start), float(stop), step=float(step))
    choices = [_value(text) for text in parsed.sweep_string_iterator()]
    if len(set(map(repr, choices))) < len(choices):
        raise ValueError("the same value stands twice")
    if not choices:
        raise ValueError("no value to choose from")
    return CategoricalDistribution(choices)


def _value(text: str) -> Value:
    """A number where the text is one, so that Optuna's plots have a scale; else the text as Hydra wrote it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)


def _texts(parsed: Parsed) -> dict[str, object]:
    """The choices that stay texts, with their values in YAML."""
    choices = parsed.sweep_iterator() if parsed.is_choice_sweep() else ()
    found = {Transformer.str(each): as_yaml(each) for each in choices}
    return {text: value for text, value in found.items() if isinstance(_value(text), str)}


def _problem(line: str, what: str) -> Problem:
    key, _, value = line.partition("=")
    return Problem(what, key, value, EXAMPLE)
