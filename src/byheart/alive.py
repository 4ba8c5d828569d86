"""Who is still at work? Each holds a lock on a file of its own; the system lets go of it however the holder dies."""

import os
import platform
import secrets
from contextlib import suppress
from pathlib import Path


class SignOfLife:
    """Ours, and those of others who work in the same folder. A process id would not do: containers share them."""

    def __init__(self, folder: Path):
        from filelock import FileLock

        self.folder, self.host = folder, platform.node()
        self.name = f"{self.host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = FileLock(self._file(self.name))
        self._dead: set[str] = set()

    def give(self) -> None:
        """Raises OSError or NotImplementedError where files cannot be locked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire(timeout=0)

    def end(self) -> None:
        self._lock.release()
        self.clear(self.name)

    def is_dead(self, name: str) -> bool | None:
        """None where there is no such file here, or where files cannot be locked."""
        from filelock import FileLock, Timeout

        if name == self.name or name in self._dead:
            return name in self._dead
        if not self._file(name).is_file():
            return None
        try:
            with FileLock(self._file(name)).acquire(timeout=0):
                self._dead.add(name)
                return True
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return None

    def clear(self, name: str) -> None:
        """Removes what the dead leave."""
        with suppress(OSError):  # Windows: another one is looking at it
            self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.lock"
