"""Which requests are under way, and whose they are: two commands that ask the same at once pay for one answer.

A claim is a row in the store. A claim whose owner gives no sign of life is anybody's.
"""

from collections.abc import Collection
from contextlib import suppress

from byheart.errors import UserError
from byheart.locks import ProcessLock
from byheart.teacher.cache import AnswerCache


class Claims:
    """Those of one `ask`. Costs a lock file and two statements, however many requests there are."""

    def __init__(self, cache: AnswerCache):
        self.cache = cache
        self.sign: ProcessLock | None = None
        self.tried = False
        self.others: list[str] = []  # the processes that had claimed what was not ours, when we last looked

    def take(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that are ours to send: nobody alive had claimed them before."""
        if not self.tried:
            self.tried, self.sign = True, self._sign()
        if self.sign is None:
            return set(keys)
        me = self.sign.name
        owners = self.cache.claim(keys, me, self._is_dead)
        self.others = sorted({owner.split("-")[-2] for owner in set(owners.values()) - {me}})
        return {key for key, owner in owners.items() if owner == me}

    def let_go(self, key: str) -> None:
        """We got no answer: whoever waits for it may try."""
        if self.sign:
            self.cache.unclaim(self.sign.name, key)

    def close(self) -> None:
        if self.sign is None:
            return
        with suppress(UserError):  # a full disk, say: without a sign of life they are anybody's all the same
            self.cache.unclaim(self.sign.name)
        self.sign.release()

    def _sign(self) -> ProcessLock | None:
        """None where files cannot be locked: then each asks for itself."""
        sign = ProcessLock(self.cache.path.with_name("asking"))
        try:
            sign.acquire()
        except (OSError, NotImplementedError):
            return None
        return sign

    def _is_dead(self, owner: str) -> bool:
        """Also where there is no such file: it is made before the first claim, and removed after the last."""
        assert self.sign is not None
        dead = self.sign.is_dead(owner)
        if dead:
            self.sign.remove(owner)
        return dead is not False
