"""How long training, answering and reading will take: arithmetic over what this machine was measured to do.

The first time, a matrix product and a copy are timed, which takes half a second. Each training then leaves how long it took
beside what was expected, so that later estimates for models of a like size are corrected by it.
"""

import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from byheart.errors import UserError
from byheart.model.sizes import ModelSizes
from byheart.store import cache_folder, read_json, write_json

SHARE = {"cpu": 0.7, "cuda": 0.5, "mps": 0.5}  # of the speed of a large product that a training's products reach
LAYER_S = {"cpu": 2e-3, "cuda": 1.5e-3, "mps": 2e-3}  # of one layer's forward and backward pass, however few its tokens
STEP_BYTES = 40  # read and written for each trained weight by an optimizer's step
LIKE = 4.0  # models count as of a like size up to so many times the parameters
KEPT = 20  # trainings of each device that are remembered
_SIDE = 1024


@dataclass(frozen=True)
class Speed:
    """Of one device with one number type."""

    flops: float  # a second, in a product of large matrices
    bytes: float  # a second, copied


@dataclass(frozen=True)
class Work:
    """What one optimizer step does: rows' tokens and targets, how many keys each token attends to, trained parameters."""

    tokens: float
    targets: float
    keys: float
    trained: int
    recompute: bool = False


class Pace:
    """Estimates of seconds for one model on one device. `basis` says what they rest on."""

    def __init__(self, sizes: ModelSizes, speed: Speed, device: str, factor: float | None = None):
        self.sizes, self.speed, self.device = sizes, speed, device
        self._flops = SHARE[device] * speed.flops
        self.factor = factor or 1.0
        self.basis = "earlier trainings here" if factor else "a measured product of matrices"

    def step(self, work: Work) -> float:
        """One optimizer step."""
        sizes, whole = self.sizes, work.trained >= self.sizes.parameters
        # Forward and backward pass through frozen weights take four operations for each, through trained ones six.
        passes = sizes.active * (6 if whole else 4 + (2 if work.recompute else 0))
        adapter = 0 if whole else 6 * work.trained
        attention = 12 * sizes.depth * sizes.width * work.keys
        head = work.targets * sizes.vocabulary * sizes.width * 6
        flops = work.tokens * (passes + adapter + attention) + head
        moved = work.trained * STEP_BYTES / self.speed.bytes
        return self.factor * (flops / self._flops + moved + sizes.depth * LAYER_S[self.device])

    def reading(self, tokens: float, targets: float = 0.0) -> float:
        """Forward passes over so many tokens."""
        flops = 2 * (tokens * self.sizes.active + targets * self.sizes.vocabulary * self.sizes.width)
        return self.factor * flops / self._flops

    def writing(self, answers: float, tokens: float, itemsize: int, at_once: int = 16) -> float:
        """So many answers of so many tokens: each token reads all weights once for the whole batch."""
        if answers <= 0:
            return 0.0
        steps = math.ceil(answers / at_once) * tokens
        weights = self.sizes.active * itemsize / self.speed.bytes
        products = 2 * min(answers, at_once) * self.sizes.active / self._flops
        return self.factor * steps * (max(weights, products) + self.sizes.depth * LAYER_S[self.device] / 3)


def known_speed(device: str, dtype: str, threads: int) -> Speed | None:
    """As it was measured before on this machine."""
    found = _read().get(_key(device, dtype, threads), {}).get("speed")
    return Speed(**found) if found else None


def measured_speed(device: str, dtype: str, threads: int) -> Speed:
    """Measured now where it was not before. Imports torch."""
    return known_speed(device, dtype, threads) or _measure(device, dtype, threads)


def pace_of(sizes: ModelSizes, speed: Speed, device: str, dtype: str, threads: int) -> Pace:
    """Corrected by earlier trainings of models of a like size, the last ones first."""
    past = _read().get(_key(device, dtype, threads), {}).get("trainings", ())
    like = [
        each["factor"]
        for each in past
        if max(each["parameters"], sizes.parameters) <= LIKE * min(each["parameters"], sizes.parameters)
    ]
    recent = sorted(like[-5:])
    return Pace(sizes, speed, device, recent[len(recent) // 2] if recent else None)


def remember(sizes: ModelSizes, device: str, dtype: str, threads: int, expected_s: float, seconds: float) -> None:
    """How long a training took beside what the plain arithmetic expected. A cache that cannot be written is no error."""
    whole, key = _read(), _key(device, dtype, threads)
    own = whole.setdefault(key, {})
    past = own.get("trainings", [])
    factor = round(min(100.0, max(0.01, seconds / max(expected_s, 1e-6))), 3)
    own["trainings"] = [*past, {"parameters": sizes.parameters, "factor": factor}][-KEPT:]
    _write(whole)


def _measure(device: str, dtype: str, threads: int) -> Speed:
    import torch

    kind: Any = getattr(torch, dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a = torch.ones(_SIDE, _SIDE, dtype=kind, device=device)
        products = _per_second(lambda: a @ a, device)
        long = torch.zeros(2**25, dtype=torch.uint8, device=device)
        copies = _per_second(long.clone, device)
    finally:
        torch.set_num_threads(before)
    found = Speed(2.0 * _SIDE**3 * products, 2.0 * 2**25 * copies)
    whole = _read()
    whole.setdefault(_key(device, dtype, threads), {})["speed"] = asdict(found)
    _write(whole)
    return found


def _per_second(work: Any, device: str) -> float:
    import torch

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()
        elif device == "mps":
            torch.mps.synchronize()

    # The thread's own time and the quickest of several: what else runs now is not what the machine can do.
    clock = time.thread_time if device == "cpu" else time.perf_counter
    began, best = time.perf_counter(), math.inf
    while time.perf_counter() - began < 0.25 or best == math.inf:
        start = clock()
        work()
        wait()
        best = min(best, clock() - start)
    return 1 / max(best, 1e-9)


def _key(device: str, dtype: str, threads: int) -> str:
    return f"{device} {dtype} {threads}"


def _place() -> Path:
    return cache_folder() / "speed.json"


def _read() -> dict[str, Any]:
    with suppress(OSError, UserError):
        found = read_json(_place())
        if isinstance(found, dict):
            return found
    return {}


def _write(whole: dict[str, Any]) -> None:
    with suppress(OSError, UserError):
        _place().parent.mkdir(parents=True, exist_ok=True)
        write_json(_place(), whole)
