"""Which process sends which request: two commands that ask the same at once pay for one answer.

A claim is a row in the cache's database. A claim whose owner is not running any more counts for nothing.
"""

from collections.abc import Collection
from contextlib import suppress

from byheart.errors import UserError
from byheart.locks import ProcessLock
from byheart.teacher.cache import AnswerCache


class Claims:
    """The claims of one `ask`. They cost a lock file and two statements, however many requests there are."""

    def __init__(self, cache: AnswerCache):
        self.cache = cache
        self.sign: ProcessLock | None = None
        self.tried = False
        self.others: list[str] = []  # the processes that held the requests which the last `take` did not get

    def take(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that this process is to send: no running process had claimed them before."""
        if not self.tried:
            self.tried, self.sign = True, self._sign()
        if self.sign is None:
            return set(keys)
        me = self.sign.name
        owners = self.cache.claim(keys, me, self._is_dead)
        self.others = sorted({owner.split("-")[-2] for owner in set(owners.values()) - {me}})
        return {key for key, owner in owners.items() if owner == me}

    def release(self, key: str) -> None:
        """The request failed here: a process that waits for it may send it."""
        if self.sign:
            self.cache.unclaim(self.sign.name, key)

    def close(self) -> None:
        if self.sign is None:
            return
        with suppress(UserError):  # e.g. a full disk: the claims of a process that has ended count for nothing anyway
            self.cache.unclaim(self.sign.name)
        self.sign.release()

    def _sign(self) -> ProcessLock | None:
        """None where files cannot be locked: then each process sends its own requests."""
        sign = ProcessLock(self.cache.path.with_name("asking"))
        try:
            sign.acquire()
        except (OSError, NotImplementedError):
            return None
        return sign

    def _is_dead(self, owner: str) -> bool:
        """Also where it has no lock file: the file is made before the first claim and removed after the last."""
        assert self.sign is not None
        dead = self.sign.is_dead(owner)
        if dead:
            self.sign.remove(owner)
        return dead is not False
