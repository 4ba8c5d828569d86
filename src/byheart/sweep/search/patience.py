"""Waits while another process has locked a study's database, and says so: a sweep of hours must not end by a lock."""

import functools
import inspect
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Result = TypeVar("Result")

# What SQLite, MySQL and PostgreSQL write. Optuna wraps it in an error of its own, which speaks of invalid data.
LOCKED = ("is locked", "lock wait timeout", "deadlock")
PAUSE_S = 0.1  # between two attempts; SQLite itself has waited before the first fails
WAITS = "the study's database is locked by another process: waiting until it is free"
GOES_ON = "the study's database is free again"


class Patience:
    """Tries again until the database is free. `say` gets a line when a wait begins and when it ends."""

    def __init__(self, say: Callable[[str], None] = lambda text: None):
        self.say = say
        self._waiting = 0
        self._counting = threading.Lock()  # the heartbeat writes from a thread of its own

    def __call__(self, action: Callable[[], Result]) -> Result:
        waited = False
        try:
            while True:
                try:
                    return action()
                except Exception as error:
                    if not is_locked(error):
                        raise
                if not waited:
                    waited = True
                    self._count(1, WAITS, first=1)
                time.sleep(PAUSE_S)
        finally:
            if waited:
                self._count(-1, GOES_ON, first=0)

    def _count(self, change: int, text: str, first: int) -> None:
        with self._counting:
            self._waiting += change
            if self._waiting == first:
                self.say(text)


def is_locked(error: BaseException) -> bool:
    """Whether this error, or one that it was raised from, says that another process holds a lock."""
    each: BaseException | None = error
    while each is not None:
        if any(words in str(each).lower() for words in LOCKED):
            return True
        each = each.__cause__ or each.__context__
    return False


def patient_storage(address: str, options: dict[str, object], patience: Patience) -> "RDBStorage":
    """Optuna's storage in a database, each of whose methods waits. Those within a session's own `with` block do not."""
    from optuna.storages import RDBStorage

    def waits(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*words: object, **named: object) -> object:
            return patience(lambda: method(*words, **named))

        return call

    methods = {
        name: waits(each)
        for name, each in vars(RDBStorage).items()
        if inspect.isfunction(each) and name[:2] != "__" and "session" not in inspect.signature(each).parameters
    }
    kind: type[RDBStorage] = type("PatientStorage", (RDBStorage,), methods)
    return patience(lambda: kind(address, engine_kwargs=options))
