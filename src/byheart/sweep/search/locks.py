"""Locks of a study: each sweeper of a folder holds a process lock there, and some steps are done by one at a time."""

import glob
from pathlib import Path

from byheart.locks import ProcessLock


class StudyLocks(ProcessLock):
    """This sweeper's process lock, and the locks that all sweepers of the folder share."""

    def __init__(self, folder: Path):
        from filelock import FileLock

        super().__init__(folder / "sweepers")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.asking = FileLock(self.folder / "gate.lock")  # two that ask at once would ask for one trial too many
        self.scoring = FileLock(self.folder / "scoring.lock")  # one scores the best trial, another finds it scored

    def other_sweepers(self) -> int:
        """How many other sweepers work in this folder on this machine."""
        names = [file.stem for file in self.folder.glob(f"{glob.escape(self.host)}-*-*.lock")]
        return sum(self.is_dead(name) is False for name in names if name != self.name)
