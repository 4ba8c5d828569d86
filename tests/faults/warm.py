"""Commands in processes forked from one that has imported everything: they begin at once, and each can be killed alone."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

GIB = 4  # of address space for a command that is limited, beyond what the libraries have mapped

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["faults.warmed"])
# The server of forks imports before it is told the path of the modules.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("OMP_NUM_THREADS", "1")


class Command:
    """`byheart WORDS` in a process group of its own, with a screen that is a file."""

    def __init__(self, words: Sequence[str], here: Path, screen: Path, cpu_s: int = 0, **variables: str):
        self.screen = screen
        self.begun = time.monotonic()
        self.process = _forks.Process(target=_carry_out, args=(list(words), here, screen, cpu_s, variables))
        self.process.start()

    def wait(self, timeout_s: float = 200) -> int | None:
        """The exit code, negative after a signal; None while it runs."""
        self.process.join(timeout_s)
        return self.process.exitcode

    def send(self, number: signal.Signals) -> None:
        """To the whole group, as a terminal or a cluster sends it."""
        try:
            os.killpg(self.process.pid or 0, number)
        except ProcessLookupError:  # it ended, or has no group yet
            if self.process.is_alive():
                os.kill(self.process.pid or 0, number)

    @property
    def said(self) -> str:
        return self.screen.read_text(errors="replace") if self.screen.is_file() else ""


@contextmanager
def begun(words: Sequence[str], here: Path, screen: Path, cpu_s: int = 0, **variables: str) -> Iterator[Command]:
    """A command that is gone afterwards, whatever happens."""
    command = Command(words, here, screen, cpu_s, **variables)
    try:
        yield command
    finally:
        if command.process.is_alive():
            command.send(signal.SIGKILL)
            command.wait()


def called(words: Sequence[str], here: Path, screen: Path, cpu_s: int = 0, **variables: str) -> tuple[int | None, str]:
    """Exit code (None: it did not end) and all that it said."""
    with begun(words, here, screen, cpu_s, **variables) as command:
        code = command.wait()
    return code, command.said


def _carry_out(words: list[str], here: Path, screen: Path, cpu_s: int, variables: dict[str, str]) -> None:
    os.setsid()
    os.chdir(here)
    os.environ.update(variables)
    out = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["byheart", *words]
    if cpu_s:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        if sys.platform == "linux":
            mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (mapped + (GIB << 30),) * 2)
    from byheart.cli import main

    try:
        sys.exit(main(words))
    except KeyboardInterrupt:  # before the command has its own handler
        sys.exit(130)
