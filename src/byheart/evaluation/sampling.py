"""A sample that depends on ids alone: two models, and a run that goes on, are asked the same."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol, TypeVar


class Named(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Named)


def dice(text: str) -> bytes:
    """A fixed pseudo-random key to sort by."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def sampled(items: Sequence[Item], count: int | None) -> list[Item]:
    """At most `count` of them, by the dice of their ids; all, in their order, where there are no more or `count` is None."""
    if count is None or count >= len(items):
        return list(items)
    return sorted(items, key=lambda item: dice(item.id))[:count]
