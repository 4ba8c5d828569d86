"""Ctrl-C during a run: training ends after its step and is saved; everything else is interrupted at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from byheart.progress import Progress, Warned


class Interrupt:
    """`with Interrupt(progress) as interrupt`: handles Ctrl-C inside; the old handler is back afterwards.

    Inside `deferred()` the first Ctrl-C only sets `requested`; a second one, and any outside, raises KeyboardInterrupt.
    """

    def __init__(self, progress: Progress):
        self.progress = progress
        self.requested = False
        self._deferred = False

    def __enter__(self) -> "Interrupt":
        try:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        except ValueError:  # not in the main thread, which alone gets signals
            self._before = None
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested or not self._deferred:
            self.requested = True
            raise KeyboardInterrupt
        self.requested = True
        self.progress(
            Warned("Ctrl-C: training stops after this step and is saved (press Ctrl-C again to stop at once)")
        )
