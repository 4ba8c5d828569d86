"""Whose trial is it? That of a sweeper which gives a sign of life, among those that work in the same folder."""

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from byheart.locks import ProcessLock


class Owner:
    """This sweeper."""

    def __init__(self, folder: Path):
        from filelock import FileLock

        self.folder = folder / "sweepers"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sign = ProcessLock(self.folder)
        self.name = self.sign.name
        self.gate = FileLock(self.folder / "gate.lock")
        self.score = FileLock(self.folder / "scoring.lock")

    def take(self) -> None:
        self.sign.acquire()

    def give_up(self) -> None:
        self.sign.release()

    def is_dead(self, name: str) -> bool | None:
        """None where it works in another folder, or where files cannot be locked: then only its heartbeat tells."""
        return self.sign.is_dead(name)

    def beside(self) -> int:
        """How many other sweepers work in this folder on this machine."""
        names = [file.stem for file in self.folder.glob(f"{glob.escape(self.sign.host)}-*-*.lock")]
        return sum(self.is_dead(name) is False for name in names if name != self.name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One sweeper at a time within: two that ask at once would ask for one trial too many."""
        with self.gate:
            yield

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """One sweeper scores the best trial; another that is done at the same time finds it scored."""
        with self.score:
            yield
