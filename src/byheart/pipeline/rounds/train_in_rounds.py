"""Training in rounds (`rounds=N`): what is not recalled is asked in further ways, and training goes on from the adapter.

Each round has its folder, `rounds/K`: what was asked again, its rows, its checkpoint and curve, its adapter, and what each
fact's recall was afterwards. Each file is written once, so that a killed run goes on where it stopped, to the same end.
"""

import math
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from byheart.interrupt import Interrupt
from byheart.pipeline.budget import sampling_seconds, training_ends
from byheart.pipeline.evaluate import Probes
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import SPARE, PreparedData
from byheart.pipeline.rounds.account import Round, best_of, in_words, tell, whole_training, write_ledger
from byheart.pipeline.rounds.further import Further, further_examples
from byheart.pipeline.rounds.held_out import HeldOut
from byheart.pipeline.rounds.recalled import Recalled, ask_each_fact, evidence_of
from byheart.pipeline.rows import make_rows, rows_of, with_more
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import Fitting, fit_adapter, joined, train_adapters, train_job_of
from byheart.pipeline.train_on import account
from byheart.progress import Said
from byheart.records import CurvePoint, Example, Json
from byheart.store import read_json, read_jsonl, write_json, write_jsonl
from byheart.training.checkpoint import begin_with
from byheart.training.curve import read_curve
from byheart.training.layout import Row

ALL_OVER = "all rounds are over"
LEAST_S = 1.0  # of a budget of time, for a further round


def train_in_rounds(
    config: RunConfig, data: PreparedData, probes: Probes, session: ModelSession, run: Run, interrupt: Interrupt
) -> dict[str, Path]:
    """Trains up to `config.rounds` times; the adapter of the best round is the run's. Gives its folder as "tuned"."""
    if not data.split.validation:
        run.note("no wording could be held out, so there is one round: further ones are chosen by held-out wordings")
        return train_adapters(config, data, probes, session, run, interrupt)
    if account(run.folder) is None:
        _Rounds(config, data, probes, session, run, interrupt).train()
    else:
        run.send(Said("training is finished already: the adapter in the run's folder is used"))
    return {"tuned": run.folder / "adapter"}


class _Rounds:
    def __init__(
        self,
        config: RunConfig,
        data: PreparedData,
        probes: Probes,
        session: ModelSession,
        run: Run,
        interrupt: Interrupt,
    ):
        self.config, self.data, self.session, self.run, self.interrupt = config, data, session, run, interrupt
        self.rows, self.validate = make_rows(
            config, data, probes, session, run, sampling_s=sampling_seconds(config, run)
        )
        spare = read_jsonl(run.folder / SPARE, Example)
        refused = HeldOut(data).reasons(spare)
        self.spare = [example for example in spare if example.id not in refused]
        left_out = set(read_json(run.folder / "ledger.json").get("too_long", {}).get("train", ()))
        self.trained = [example for example in data.examples_of(data.split.train) if example.id not in left_out]
        self.taught = Counter(fact for example in self.trained for fact in example.facts)  # rows by fact
        self.done: list[Round] = []
        self.curve: list[CurvePoint] = []

    def train(self) -> None:
        most = self.config.rounds
        why = ALL_OVER
        for number in range(1, most + 1):
            if number > 1 and self._used_up(number):
                why = "the budget was used up"
                break
            further = self._further(number) if number > 1 else Further()
            training = self._trained(number, further)
            if training is None:
                return  # Ctrl-C
            self.done.append(Round(number, further, dict(self.taught), training, self._recalled(number)))
            self._keep_best()
            if why_ended := self._why_ended(number):
                why = why_ended
                break
        self._conclude(why)

    def _why_ended(self, number: int) -> str:
        found = self.done[-1].recalled
        if number > 1 and found.share <= best_of(self.done[:-1]).recalled.share:
            return "recall of held-out wordings rose no more"
        return "" if found.weak else "every fact is recalled"

    def _place(self, number: int) -> Path:
        return self.run.folder / "rounds" / str(number)

    def _used_up(self, number: int) -> bool:
        left = self._steps_left()
        if left is not None and left < self.config.rounds - number + 1:
            return True
        ends = training_ends(self.config, self.run)
        return ends < math.inf and account(self._place(number)) is None and ends - self.run.seconds < LEAST_S

    def _steps_left(self) -> int | None:
        limit = self.config.limit.steps
        return None if limit is None else limit - sum(each.training["steps"] for each in self.done)

    def _further(self, number: int) -> Further:
        """What is asked again, which becomes rows."""
        weak = self.done[-1].recalled.weak
        known = {example.id for example in self.trained}
        spare = [example for example in self.spare if example.id not in known]
        further = further_examples(self.config, self.data, weak, self.trained, spare, number, self.run)
        base = self.data.examples_of(self.data.split.train)
        again = [example for example in base if set(further.repeated).intersection(example.facts)]
        self.trained += further.examples
        self.rows = with_more(self.config, self.rows, self._more_rows(number, [*further.examples, *again]))
        return further

    def _more_rows(self, number: int, examples: Sequence[Example]) -> list[Row]:
        """Kept in the round's folder: a chat template may change between two commands."""
        file = self._place(number) / "rows.jsonl"
        found = rows_of(self.config, examples, self.session)
        self.taught.update(fact for example in examples if example.id in found for fact in example.facts)
        if not file.is_file():
            write_jsonl(file, found.values())
        return read_jsonl(file, Row)

    def _trained(self, number: int, further: Further) -> Json | None:
        """The account of the round's training; None where Ctrl-C ended it."""
        place, most = self._place(number), self.config.rounds
        training = account(place)
        if training is None:
            config, job = self.config, train_job_of(self.config, self.rows, self.validate, self.session)
            if (left := self._steps_left()) is not None:
                job = replace(job, most_steps=left // (most - number + 1))  # what is not used is left to later rounds
            title = f"Round {number} of {most}"
            if number > 1:
                begin_with(place / "checkpoint", self._place(number - 1) / "checkpoint")
                config = replace(config, optimizer=replace(config.optimizer, warmup=0.0))
                title += f" · {further.words}"
            before = tuple(self.curve)
            fitting = Fitting("training", title, place, place, most - number + 1, before=before)
            training = fit_adapter(config, job, self.session, self.run, self.interrupt, fitting)
            if self.interrupt.requested:
                if number == 1:
                    _link_files(place / "adapter", self.run.folder / "adapter")
                return None
        self.curve = joined(self.curve, read_curve(place / "curve.csv"))
        return {**training, "taught": sum(row.soft is None for row in self.rows)}

    def _recalled(self, number: int) -> Recalled:
        file = self._place(number) / "recall.json"
        if not file.is_file():
            with self.run.stage("recall", "Asking what is recalled") as note:
                model = self.session.trained(self._place(number) / "adapter")
                known = {example.id for example in self.trained}
                spare = [example for example in self.spare if example.id not in known]
                evidence = evidence_of(self.data, spare, self.trained)
                found = ask_each_fact(self.config, self.data, self.session, model, evidence)
                found.write(file)
                by = Counter(each.evidence for each in found.weak)
                note(f"{found.said} of {found.asked} held-out wordings are said word for word")
                note(
                    f"{len(found.weak)} of {len(found.facts)} facts are not recalled"
                    + (f", by {', '.join(f'{kind}: {count}' for kind, count in by.items())}" if by else "")
                )
        return Recalled.read(file)

    def _keep_best(self) -> None:
        """The best adapter so far is the run's, also where the run is interrupted later."""
        best = best_of(self.done)
        if best is self.done[-1]:
            _link_files(self._place(best.number) / "adapter", self.run.folder / "adapter")

    def _conclude(self, why: str) -> None:
        run, told = self.run, tell(self.done, self.config.rounds, why)
        write_ledger(run.folder, self.done)
        run.record["rounds"] = told
        run.record["training"] = whole_training(self.done, why)
        run.save()
        write_json(run.folder / "adapter" / "byheart.json", run.record["training"])  # marks the training as finished
        for each in self.done:
            for name in ("checkpoint", "adapter"):
                shutil.rmtree(self._place(each.number) / name, ignore_errors=True)
        run.send(Said(in_words(told)))


def _link_files(made: Path, folder: Path) -> None:
    """The files of an adapter in another folder, but for the account that would mark it as finished."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in made.iterdir():
        if file.is_file() and file.name != "byheart.json":
            making = folder / f".{file.name}.next"
            making.unlink(missing_ok=True)
            try:
                os.link(file, making)
            except OSError:  # a file system without links
                shutil.copy2(file, making)
            making.replace(folder / file.name)
