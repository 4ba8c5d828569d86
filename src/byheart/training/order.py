"""The order of the rows. It depends on seed and epoch alone, so every prefix of a run equals a shorter run."""

import random
from collections.abc import Iterator


def batches(count: int, batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """The batches of one epoch (counted from 0) as lists of row indices; the last may be smaller."""
    order = list(range(count))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def stream(count: int, batch_size: int, epochs: int, seed: int, done: int = 0) -> Iterator[list[int]]:
    """All the batches of a run, epoch after epoch, without the first `done`."""
    per_epoch = steps_per_epoch(count, batch_size)
    for epoch in range(done // per_epoch, epochs):
        skip = max(0, done - epoch * per_epoch)
        yield from batches(count, batch_size, epoch, seed)[skip:]


def steps_per_epoch(count: int, batch_size: int) -> int:
    return -(-count // batch_size)


def is_check(step: int, per_epoch: int, checks: int) -> bool:
    """Is validation due after this step (counted from 1)? `checks` times an epoch, the last at its very end."""
    place = (step - 1) % per_epoch
    return (place + 1) * checks // per_epoch > place * checks // per_epoch
