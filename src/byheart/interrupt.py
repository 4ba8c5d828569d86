"""Ctrl-C, SIGTERM and SIGHUP: training ends after its step and is saved; everything else is interrupted at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from byheart.progress import Progress, Warned

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    SIGNALS[signal.SIGHUP] = "SIGHUP"
CTRL_C = 128 + signal.SIGINT  # as an exit code
_last: list[int] = [signal.SIGINT]  # of the signals that came


class Stopped(KeyboardInterrupt):
    """One of SIGNALS ends the command."""


def exit_code() -> int:
    """Of a command that was stopped, as shells have it: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
    return 128 + _last[0]


@contextmanager
def on_signals(handler: Callable[[str], None]) -> Iterator[None]:
    """Inside, `handler` is called with the name of a signal; the old handlers are back afterwards.

    SIGTERM and SIGHUP that were ignored before (nohup) still are. Outside of the main thread, which alone gets signals,
    nothing changes. Lightning sets no handler of its own where there is one: its SIGTERM would end with exit code 0.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        _last[0] = number
        handler(SIGNALS[signal.Signals(number)])

    before = {}
    try:
        for number in SIGNALS:
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, on_signal)
    except ValueError:  # not in the main thread
        pass
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def stop(name: str) -> None:
    """The handler of a command outside of training."""
    raise Stopped


class Interrupt:
    """`with Interrupt(progress) as interrupt`: handles SIGNALS inside.

    Inside `deferred()` the first signal only sets `requested`; a second one, and any outside, raises Stopped.
    """

    def __init__(self, progress: Progress):
        self.progress = progress
        self.requested = False
        self._deferred = False
        self._handled = ExitStack()

    def __enter__(self) -> "Interrupt":
        self._handled.enter_context(on_signals(self._on_signal))
        return self

    def __exit__(self, *error: object) -> None:
        self._handled.close()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _on_signal(self, name: str) -> None:
        if self.requested or not self._deferred:
            self.requested = True
            raise Stopped
        self.requested = True
        again = " (press Ctrl-C again to stop at once)" if name == "Ctrl-C" else ""
        self.progress(Warned(f"{name}: training stops after this step and is saved{again}"))
