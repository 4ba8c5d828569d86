"""Which requests are under way, and whose they are: two commands that ask the same at once pay for one answer.

A claim is a row in the store. Its owner holds a lock on a file of its own, which the system lets go of however the
owner dies: a claim whose owner is gone is anybody's.
"""

import os
import platform
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.errors import UserError
from byheart.teacher.cache import AnswerCache

if TYPE_CHECKING:
    from filelock import FileLock


class Claims:
    """Those of one `ask`. Costs a lock file and two statements, however many requests there are."""

    def __init__(self, cache: AnswerCache):
        self.cache, self.folder = cache, cache.path.with_name("asking")
        self.owner = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.lock: FileLock | None = None
        self.tried = False
        self.others: list[str] = []  # the processes that had claimed what was not ours, when we last looked

    def take(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that are ours to send: nobody alive had claimed them before."""
        if not self.tried:
            self.tried, self.lock = True, self._sign()
        if self.lock is None:
            return set(keys)
        owners = self.cache.claim(keys, self.owner, self._is_dead)
        self.others = sorted({owner.split("-")[-2] for owner in set(owners.values()) - {self.owner}})
        return {key for key, owner in owners.items() if owner == self.owner}

    def let_go(self, key: str) -> None:
        """We got no answer: whoever waits for it may try."""
        if self.lock:
            self.cache.unclaim(self.owner, key)

    def close(self) -> None:
        if self.lock is None:
            return
        with suppress(UserError):  # a full disk, say: without the lock they are anybody's all the same
            self.cache.unclaim(self.owner)
        _let_go(self.lock)

    def _sign(self) -> "FileLock | None":
        """None where files cannot be locked: then each asks for itself."""
        from filelock import FileLock

        lock = FileLock(self.folder / f"{self.owner}.lock")
        try:
            self.folder.mkdir(exist_ok=True)
            lock.acquire(timeout=0)
        except (OSError, NotImplementedError):
            return None
        return lock

    def _is_dead(self, owner: str) -> bool:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{owner}.lock")
        try:
            if Path(lock.lock_file).is_file():
                lock.acquire(timeout=0)
                _let_go(lock)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            pass
        return True  # the file is made before the first claim, and removed after the last


def _let_go(lock: "FileLock") -> None:
    lock.release()
    with suppress(OSError):  # Windows: another one is looking at it
        Path(lock.lock_file).unlink(missing_ok=True)
