"""Whose trial is it? A sweeper holds a lock on a file of its own; the system lets go of it however the sweeper dies."""

import glob
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Owner:
    """This sweeper among those that work in the same folder."""

    def __init__(self, folder: Path):
        from filelock import FileLock

        self.folder = folder / "sweepers"
        self.name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.signed = FileLock(self.folder / f"{self.name}.lock")
        self.gate = FileLock(self.folder / "gate.lock")
        self.score = FileLock(self.folder / "scoring.lock")
        self.dead: set[str] = set()

    def take(self) -> None:
        self.signed.acquire(timeout=0)

    def give_up(self) -> None:
        self.signed.release()
        Path(self.signed.lock_file).unlink(missing_ok=True)

    def is_dead(self, name: str) -> bool | None:
        """None where it works in another folder, or where files cannot be locked: then only its heartbeat tells."""
        from filelock import FileLock, Timeout

        file = self.folder / f"{name}.lock"
        if name == self.name or name in self.dead:
            return name in self.dead
        if not file.is_file():
            return None
        try:
            with FileLock(file).acquire(timeout=0):
                self.dead.add(name)
                return True
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return None

    def beside(self) -> int:
        """How many other sweepers work in this folder on this machine."""
        node = self.name.rsplit("-", 2)[0]
        names = [file.stem for file in self.folder.glob(f"{glob.escape(node)}-*-*.lock")]
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
