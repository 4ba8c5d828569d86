"""Hands out the trials of a study and takes back what became of them, for whichever launcher trains them."""

import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from byheart.errors import Problem, UserError
from byheart.sweep.board import Board
from byheart.sweep.crew import ALONE, Crew
from byheart.sweep.halving import Rungs
from byheart.sweep.neighbours import Neighbours, is_covered
from byheart.sweep.outcome import Outcome, read_outcome
from byheart.sweep.override import last_of_each_key
from byheart.sweep.setup import Setup
from byheart.sweep.study import Asked, Study
from byheart.sweep.trial import Watch
from byheart.training.packed.trainer import GO_ON, PRUNE
from byheart.training.stopping import MONITORS, watched
from byheart.types import CurvePoint


class Conductor:
    """`next` gives a trial to train, `ended` and `failed` tell of it; trials known from a curve are told in between."""

    def __init__(self, setup: Setup, study: Study, board: Board, crew: Crew = ALONE):
        self.setup, self.study, self.board, self.axis, self.crew = setup, study, board, setup.axis, crew
        self.neighbours = Neighbours(study, board, setup.axis, setup.folder)
        self.asked: dict[int, Asked] = {}  # handed out
        self.waiting: list[Asked] = []  # parts of a curve that is being trained
        self.stop = False
        self.on_stop: Callable[[], None] = lambda: None
        self.on_look: Callable[[], None] = lambda: None
        self.failure: UserError | None = None
        self.rungs = Rungs(setup.sweep.halved, setup.sweep.objectives[0])
        for trial in study.known():
            if trial.state == "complete" and trial.outcome is not None and trial.outcome.source is None:
                self.rungs.ended(trial.number, trial.outcome)

    # -- what a launcher needs ----------------------------------------------------------------------------------------

    def next(self) -> Asked | None:
        """A trial to train; None where there is none at present."""
        while not self.stop and self.failure is None:
            if self.crew.trials is not None and len(self.asked) >= self.crew.trials:
                return None  # the others of the crew are to have theirs
            asked = self.study.ask()
            if asked is None:
                return None
            self.board.starts(asked.number, asked.params, "waiting")
            if self._answer_from_curves(asked):
                continue
            if self._is_covered(asked):
                self.waiting.append(asked)
                continue
            self._take_checkpoint(asked)
            self.asked[asked.number] = asked
            self.board.starts(asked.number, asked.params, "running")
            return asked
        return None

    def overrides(self, asked: Asked) -> list[str]:
        """The trial in Hydra's words; its folder is its number."""
        varied = self.setup.space.overrides(asked.params)
        overrides = last_of_each_key([*self.setup.fixed, *varied, *self.axis.overrides(asked.params)])
        return [*(each.text for each in overrides), f"hydra.sweep.subdir={asked.number}"]

    def ended(self, number: int, outcome: Outcome) -> None:
        asked = self.asked.pop(number)
        if outcome.state in ("finished", "upturn", "budget"):
            self.rungs.ended(number, outcome)
        if outcome.state in ("stopped", "paused"):
            self.study.hand_back(number)
            self.board.ends(number, "interrupted", None, outcome)
        else:
            self._tell(asked, outcome)
        self._answer_waiting()

    def failed(self, number: int, error: BaseException) -> None:
        """Told with its reason; it never ends the sweep, but so many in a row do."""
        asked = self.asked.pop(number)
        self.rungs.failed(number)
        self._fail(asked, reason_of(error), read_outcome(self._folder(number)))
        self._answer_waiting()

    def look(self, now: bool = False) -> None:
        """Shows what others train, and tells what their curves answer. Often called, it seldom does anything."""
        if not now and not self.neighbours.is_due():
            return
        if ended := self.neighbours.look():
            self._answer_waiting()
            if any(trial.state == "failed" for trial in ended):
                self._count_failures()
        self.on_look()

    @property
    def at_a_time(self) -> int:
        """How many trials this process may train together."""
        return self.crew.trials or self.study.wanted

    def watch(self) -> Watch:
        """A sweep that has failed ends its trials like Ctrl-C: what they have learned is saved for the next command."""
        return Watch(self._on_check, self._on_step, lambda: self.stop or self.failure is not None)

    def promoted(self, paused: Iterable[int]) -> int | None:
        """A paused trial that may go on, since enough worse ones came to its rung."""
        number = None if self.stop else self.rungs.next(paused)
        if number is not None:
            self.board.turns(number, "running")
        return number

    def resumes(self, number: int, curve: Sequence[CurvePoint]) -> bool:
        """Whether a trial that an earlier command began goes on at once, or stays paused."""
        if curve:
            self.board.checks(number, curve)
        goes_on = self.rungs.resumes(number, curve)
        if not goes_on:
            self.board.turns(number, "paused")
        return goes_on

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C ends the trials after their step; a second one leaves at once."""

        def on_interrupt(number: int, frame: FrameType | None) -> None:
            if self.stop:
                raise KeyboardInterrupt
            self.stop = True
            self.on_stop()
            self.board.say("Ctrl-C: ending after this step and saving (press it again to leave at once)")

        try:  # the terminal sends it to the whole crew, of which only the first process heeds it and tells the others
            before = signal.signal(signal.SIGINT, on_interrupt if self.crew.is_first else signal.SIG_IGN)
        except ValueError:  # not in the main thread
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    # -- within -------------------------------------------------------------------------------------------------------

    def _on_step(self, number: int, step: int, steps: int) -> None:
        self.board.steps(number, step, steps)
        self.look()

    def _on_check(self, number: int, point: CurvePoint, curve: Sequence[CurvePoint]) -> str:
        self.board.checks(number, curve)
        objective = self.setup.sweep.objectives[0]
        if self.setup.sweep.prunes and objective in MONITORS and float(point.epoch).is_integer():
            measured = watched(objective, curve)
            if measured and measured[-1][0].step == point.step:
                stops = self.study.should_stop(number, round(point.epoch), measured[-1][1])
                return PRUNE if stops else GO_ON
        return self.rungs.at_check(number, curve)

    def _tell(self, asked: Asked, outcome: Outcome) -> None:
        if outcome.state == "diverged":
            self._fail(asked, outcome.reason, outcome)
            return
        values = self._values(asked, outcome)
        if values is None:
            self._fail(asked, "nothing was measured at an epoch's end", outcome)
            return
        self.study.tell(asked.number, values, outcome)
        self.board.ends(asked.number, outcome.shown, values[0], outcome)

    def _fail(self, asked: Asked, reason: str, outcome: Outcome | None) -> None:
        self.study.fail(asked.number, reason, outcome)
        self.board.ends(asked.number, "failed", None, outcome, reason)
        self._count_failures()

    def _count_failures(self) -> None:
        failures, most = self.study.failures_in_a_row(), self.setup.sweep.max_failures
        if most is not None and len(failures) >= most:
            what = f"{len(failures)} trials in a row failed, the last: {failures[-1]}"
            fix = "mend what they say, or allow more: hydra.sweeper.max_failures=null"
            self.failure = UserError(Problem(what, "hydra.sweeper.max_failures", str(most), fix))

    def _values(self, asked: Asked, outcome: Outcome) -> list[float] | None:
        epochs = self.axis.asked(asked.params)
        found = [outcome.value(name, epochs) for name in self.setup.sweep.objectives]
        return None if None in found else [value for value in found if value is not None]

    def _answer_from_curves(self, asked: Asked) -> bool:
        """Tells a trial that is a part of a curve that is there already, or whose training was over when we were killed."""
        if asked.continues is not None:
            outcome = read_outcome(self._folder(asked.continues))
            if outcome is not None and outcome.state not in ("stopped", "paused"):
                self._tell(asked, outcome.part(self.axis.asked(asked.params), asked.continues))
                return True
        for known in self.study.known():
            outcome = known.outcome
            if known.state != "complete" or outcome is None or not self.axis.same_curve(known.params, asked.params):
                continue
            if self.axis.answers(outcome, asked.params):
                self._tell(asked, outcome.part(self.axis.asked(asked.params), known.number))
                return True
        return False

    def _answer_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for asked in waiting:
            if self._answer_from_curves(asked):
                continue
            if self._is_covered(asked):
                self.waiting.append(asked)
            else:  # its source failed or was interrupted: it is trained on its own
                self.study.hand_back(asked.number)
                self.board.ends(asked.number, "interrupted", None, None)

    def _is_covered(self, asked: Asked) -> bool:
        """Whether a curve that is being trained, here or by another sweeper, will answer this trial."""
        if any(self.axis.same_curve(asked.params, other.params) for other in self.asked.values()):
            return True
        others = (trial for trial in self.study.known() if trial.number not in self.study.mine)
        return is_covered(asked.number, asked.params, others, self.axis)

    def _take_checkpoint(self, asked: Asked) -> None:
        """What an interrupted trial had saved goes to the trial that continues it, which goes on from there."""
        if asked.continues is None:
            return
        before, mine = self._folder(asked.continues), self._folder(asked.number)
        if (before / "checkpoint").is_dir() and not mine.exists():
            mine.mkdir(parents=True)
            for name in ("checkpoint", "curve.csv", "wandb.json"):
                if (before / name).exists():
                    shutil.move(before / name, mine / name)

    def _folder(self, number: int) -> Path:
        return self.setup.folder / str(number)


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def reason_of(error: BaseException) -> str:
    """One line of why a trial failed; what a GPU says when its memory is full is long and names no setting."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if is_out_of_memory(error):
        return f"out of memory (lower batch_size, or set trainer.rows_at_once): {text[:120]}"
    return text[:300]
