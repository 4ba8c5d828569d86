"""Process locks: find out which processes still work in a folder. The system frees a lock however its holder ends."""

import os
import platform
import secrets
from contextlib import suppress
from pathlib import Path


class ProcessLock:
    """A locked file of this process, and those of others in the same folder.

    A process id would not do: two containers may have the same.
    """

    def __init__(self, folder: Path):
        from filelock import FileLock

        self.folder, self.host = folder, platform.node()
        self.name = f"{self.host}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = FileLock(self._file(self.name))
        self._dead: set[str] = set()

    def acquire(self) -> None:
        """Raises OSError or NotImplementedError where files cannot be locked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire(timeout=0)

    def release(self) -> None:
        self._lock.release()
        self.remove(self.name)

    def is_dead(self, name: str) -> bool | None:
        """Whether the process of this name has ended. None if it has no file here, or if files cannot be locked."""
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

    def remove(self, name: str) -> None:
        """Removes the file of a process that has ended."""
        with suppress(OSError):  # Windows: another process has it open
            self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.lock"
