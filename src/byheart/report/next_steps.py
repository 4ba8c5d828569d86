"""What to do after a run: each step as a reason and a line to copy."""

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from byheart.records import Json
from byheart.report.learning import Learning
from byheart.report.probes import result, specimen
from byheart.report.tables import LEAST, forgetting
from byheart.store import read_object, read_records

MOST_REPLAY = 0.5
HOLD_OUT = ("split.share=0.25", "split.at_least=50")  # the defaults
# Where a line is copied to: a resumed run works in the folder in which it was first started.
TYPED_IN: ContextVar[Path | None] = ContextVar("typed_in", default=None)


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
    goes_on: bool = False  # whether its training can go on from its last step

    def steps(self, training: Learning, scores: Json, answers: Sequence[Json]) -> list[Step]:
        """The most pressing first. Lines with other settings start a new run; what a teacher wrote is not paid again."""
        afresh = [
            Step(why, learn_line(self.overrides, *changes))
            for why, *changes in (*self._forgets(scores), *self._unwatched(training))
            if self.overrides is not None
        ]
        asking = [
            Step(why, learn_line(self.overrides, *changes))
            for why, *changes in self._teacher(answers)
            if self.overrides is not None
        ]
        return [*afresh, *self._more(training), *asking, Step(*ask_others(self.folder))]

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

    def _more(self, training: Learning) -> list[Step]:
        """A run goes on from its last step where it can; else its settings start a new one."""
        if not training.rising or not (self.goes_on or self.overrides is not None):
            return []
        why = "The budget ended the first epoch" if training.cut_short else "It was still improving when training ended"
        changes = training.more.split()
        steps = [f", to {change[7:]} steps" for change in changes if re.fullmatch(r"budget=\d+", change)]
        if self.goes_on:
            return [Step(f"{why}. To train it on{''.join(steps)}:", resume_line(self.folder, *changes))]
        return [Step(f"{why}. To train a new run for longer:", learn_line(self.overrides, *changes))]

    def _teacher(self, answers: Sequence[Json]) -> list[tuple[str, ...]]:
        found = result(answers)
        tally = found and (found.said or found.picked)
        if self.teacher or not tally or tally.asked < LEAST or 2 * tally.after >= tally.asked:
            return []
        chosen = [each.partition("=")[2] for each in self.overrides or () if each.startswith("expansion=")]
        members = [*(each.strip() for each in (chosen or ["rules"])[-1].strip("[]").split(",")), "ladder"]
        expansion = f"expansion=[{','.join(dict.fromkeys(members))}]"  # what was chosen stays: its options stay too
        changes = (expansion, "teacher=openai", "teacher.model=NAME", "estimate=true")
        what = "Most answers in its own words" if found and found.said else "Most picked options"
        return [(f"{what} are still wrong. What a teacher's examples would cost:", *changes)]


def learn_line(overrides: Sequence[str] | None, *changes: str) -> str:
    """The command line with some settings changed, for a folder of its own. Relative paths are meant from where the run was started."""
    anywhere = [each for each in overrides or () if not each.startswith(("hydra.run.dir=", "hydra.sweep.dir="))]
    line = shlex.join(["byheart", "learn", *changed(anywhere, changes)])
    return line if _here() == Path.cwd() else f"cd {shlex.quote(str(Path.cwd()))} && {line}"


def changed(overrides: Sequence[str], changes: Sequence[str]) -> list[str]:
    """The overrides with some of them replaced."""
    keys = {change.partition("=")[0] for change in changes}
    return [*(each for each in overrides if each.partition("=")[0].lstrip("+") not in keys), *changes]


def resume_line(run: Path, *changes: str) -> str:
    """The command line that goes on with a run."""
    return shlex.join(["byheart", "learn", f"resume={from_here(run)}", *changes])


def ask_others(run: Path) -> tuple[str, str]:
    """How a run is scored on other questions: why, and the line."""
    line = shlex.join(["byheart", "evaluate", f"run={from_here(run)}", "questions=other.jsonl"])
    return "Ask this model other questions:", line


def ask_it(run: Path, answers: Sequence[Json]) -> tuple[str, str]:
    """How the model is asked one question: why, and the line. `run`: the folder of a run, or of a sweep for its best."""
    question = learned_question(run, answers) or "..."
    return "Ask it in your own words:", f"byheart ask {shlex.quote(str(from_here(run)))} {_quoted(question)}"


def learned_question(run: Path, answers: Sequence[Json]) -> str:
    """A question that the model answers rightly since it was trained; else one that it was trained on; "" without any."""
    if row := specimen(answers):
        return str(row["question"])
    said = [str(row["question"]) for row in answers if (row.get("tuned_metrics") or {}).get("contains", 0) >= 1]
    if said:
        return min(said, key=len)
    split, examples = run / "split.json", run / "examples.jsonl"
    trained = set(read_object(split)["train"]) if split.is_file() and examples.is_file() else set()
    taught = [str(row["question"]) for row in (read_records(examples) if trained else ()) if row["id"] in trained]
    return min(taught, key=len, default="")


def _quoted(text: str) -> str:
    """In the quotes that a person would take; shlex takes others where a text has an apostrophe."""
    flat = " ".join(text.split())
    return shlex.quote(flat) if any(sign in flat for sign in '"$`\\!') else f'"{flat}"'


def from_here(path: Path) -> Path:
    """The path as one types it here."""
    here = _here()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _here() -> Path:
    return TYPED_IN.get() or Path.cwd()


def how_to_find_byheart() -> str | None:
    """The line after which a shell finds the command `byheart`, where it does not yet; None where it does."""
    activate = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("byheart") or not activate.is_file():
        return None
    return f"source {shlex.quote(str(from_here(activate)))}"
