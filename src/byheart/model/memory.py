"""The device's memory: how much is free, whether an error says that it is full, and work in batches that become smaller."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

MOST_ROWS = 256  # generated at a time: more fill no GPU better

Item = TypeVar("Item")
Result = TypeVar("Result")

# What torch, CUDA, its libraries and Apple's backend write. Only CUDA's own allocator has an error class for it.
_FULL = ("out of memory", "alloc_failed", "allocation_failed", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without importing it
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _FULL)


def halving(
    at_once: int, work: Callable[[int], Result], again: Callable[[int], None] = lambda at_once: None, least: int = 1
) -> tuple[Result, int]:
    """What `work` makes with `at_once` items at a time, and how many they were: half as many as often as memory is full.

    `again` is called before `work` begins anew with fewer. With `least` items the error is raised.
    """
    while True:
        try:
            return work(at_once), at_once
        except (MemoryError, RuntimeError) as error:
            if at_once <= least or not is_out_of_memory(error):
                raise
            error.__traceback__ = None  # what the failed attempt made hangs on its frames
        at_once = max(least, at_once // 2)
        again(at_once)
        release_memory()


def in_batches(
    items: Sequence[Item], at_once: int, work: Callable[[Sequence[Item]], Result]
) -> Iterator[tuple[Sequence[Item], Result]]:
    """Each batch of at most `at_once` items, and what `work` makes of it. Where memory is full, batches become smaller."""
    while items:
        left, most = items, min(at_once, len(items))
        result, taken = halving(most, lambda count: work(left[:count]))  # noqa: B023  # called before `left` changes
        at_once = taken if taken < most else at_once
        yield items[:taken], result
        items = items[taken:]


def rows_that_fit(
    model: "PreTrainedModel | PeftModel", tokens: int, usual: int, predicted: int = 1, wanted: int = 0
) -> int:
    """How many rows of so many tokens to read at a time: on CUDA a power of two by free memory, elsewhere `usual`, or up to
    `wanted` where there is room.

    Half of the free memory is meant to be used: for the keys and values of all layers at full width (most models store
    fewer), one layer's activations and the logits of the `predicted` tokens.
    """
    import math

    weight = next(model.parameters())
    most = MOST_ROWS if weight.device.type == "cuda" else min(MOST_ROWS, wanted)
    if most <= usual:
        return usual
    config = model.config.get_text_config()
    layers, width = getattr(config, "num_hidden_layers", None), getattr(config, "hidden_size", None)
    if not layers or not width:
        return usual
    each = tokens * width * weight.itemsize * (2 * layers + 16) + 12 * predicted * getattr(config, "vocab_size", 0)
    return max(usual, min(most, 2 ** int(math.log2(max(1, free_bytes(weight.device.type) // 2 // each)))))


def release_memory() -> None:
    """Gives back what no one holds any more."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()  # nothing where CUDA is not used
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def free_bytes(device: str) -> int:
    """Memory that can be allocated now: caches count as free, what a container forbids does not."""
    if device == "cuda":
        import torch

        # torch keeps what it has freed, and gives it to the next tensor.
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    import psutil

    free, most = int(psutil.virtual_memory().available), _container("max")
    if most is not None and (used := _container("current")) is not None:
        free = min(free, most - used)
    return max(0, free)


def total_bytes(device: str) -> int:
    """Memory of the device, or of the container."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[1])
    import psutil

    return min(int(psutil.virtual_memory().total), _container("max") or 2**62)


def _container(name: str) -> int | None:
    """A number of bytes of the control group; None without a limit, or where it is not Linux."""
    with suppress(OSError, ValueError):
        return int(Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii"))
    return None
