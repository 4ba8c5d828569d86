"""What to do after a run: each step as a reason and a line to copy."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from byheart.records import Json
from byheart.report.learning import Learning
from byheart.report.probes import result
from byheart.report.tables import LEAST, forgetting

MOST_REPLAY = 0.5
HOLD_OUT = ("split.share=0.25", "split.at_least=50")  # the defaults


@dataclass(frozen=True)
class Step:
    why: str
    command: str


@dataclass(frozen=True)
class Started:
    """What a run was started with. `overrides` is None where they alone do not make its config, e.g. with `-cn`."""

    folder: Path
    overrides: Sequence[str] | None
    lr: float
    replay: float
    share: float  # of the facts that hold out a form
    questions: bool
    teacher: bool

    def steps(self, training: Learning, scores: Json, answers: Sequence[Json]) -> list[Step]:
        """The most pressing first. Lines that train again start a new run; what a teacher wrote is not paid again."""
        found = [
            Step(why, learn_line(self.overrides, *changes))
            for why, *changes in (*self._forgets(scores), *self._unwatched(training), *self._more(training), *self._teacher(answers))
            if self.overrides is not None
        ]  # fmt: skip
        return [*found, Step(*ask_others(self.folder))]

    def _forgets(self, scores: Json) -> list[tuple[str, ...]]:
        verdict = forgetting(scores)
        if verdict is None or verdict[0] not in ("noticeable", "severe"):
            return []
        replay = min(MOST_REPLAY, 2 * self.replay) if self.replay else 0.2
        changes = [f"rows.replay={replay:g}"] if replay > self.replay else []
        if verdict[0] == "severe" or not changes:
            changes.append(f"lr={self.lr / 3:.2g}")
        return [(f"It has forgotten: {verdict[0]}. To forget less, train again:", *changes)]

    def _unwatched(self, training: Learning) -> list[tuple[str, ...]]:
        if training.held_out != 0:
            return []
        changes = HOLD_OUT if not self.share else ("dev=0.3",) if self.questions else ()
        return [("Nothing watched the training. To hold questions out:", *changes)] if changes else []

    def _more(self, training: Learning) -> list[tuple[str, ...]]:
        why = (
            "The budget ended the first epoch:" if training.cut_short else "It was still improving when training ended:"
        )
        return [(why, training.more)] if training.rising else []

    def _teacher(self, answers: Sequence[Json]) -> list[tuple[str, ...]]:
        found = result(answers)
        tally = found and (found.said or found.picked)
        if self.teacher or not tally or tally.asked < LEAST or 2 * tally.after >= tally.asked:
            return []
        changes = ("expansion=[rules,ladder]", "teacher=openai", "teacher.model=NAME", "estimate=true")
        what = "Most answers in its own words" if found and found.said else "Most picked options"
        return [(f"{what} are still wrong. What a teacher's examples would cost:", *changes)]


def learn_line(overrides: Sequence[str] | None, *changes: str) -> str:
    """The command line with some settings changed."""
    keys = {change.partition("=")[0] for change in changes}
    kept = [each for each in overrides or () if each.partition("=")[0].lstrip("+") not in keys]
    return shlex.join(["byheart", "learn", *kept, *changes])


def ask_others(run: Path) -> tuple[str, str]:
    """How a run is scored on other questions: why, and the line."""
    line = shlex.join(["byheart", "evaluate", f"run={from_here(run)}", "questions=other.jsonl"])
    return "Ask this model other questions:", line


def from_here(path: Path) -> Path:
    """The path as one types it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def how_to_find_byheart() -> str | None:
    """The line after which a shell finds the command `byheart`, where it does not yet; None where it does."""
    activate = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("byheart") or not activate.is_file():
        return None
    return f"source {shlex.quote(str(from_here(activate)))}"
