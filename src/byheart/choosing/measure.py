"""One base, measured: closed book, open book, after some steps of training, and how fast it is here.

Everything is kept in a folder of the base, so that a comparison that was stopped goes on where it was.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from byheart.choosing.probability import NAME, AnswerProbability
from byheart.choosing.records import AFTER, CLOSED, OPEN, Candidate, Measured
from byheart.errors import Diverged, Problem, UserError
from byheart.evaluation.base import Scored
from byheart.evaluation.choice import Choice
from byheart.evaluation.recall import Recall
from byheart.evaluation.summary import headline, right
from byheart.interrupt import Interrupt
from byheart.model.language import LanguageModel
from byheart.model.memory import is_out_of_memory, release_memory
from byheart.model.sizes import sizes_of
from byheart.pipeline.estimate import estimate_run
from byheart.pipeline.evaluate import Probes, score_model, with_open_book
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.rows import ROWS, tokens_per_row
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import train_adapters
from byheart.progress import Checked, Progress, RunEnded
from byheart.records import Probe
from byheart.results import Estimated, Needs, RunEstimate
from byheart.store import is_done, mark_done, read_jsonl, read_one, write_jsonl, write_text
from byheart.training.hardware import expected_place
from byheart.training.layout import Row
from byheart.training.memory import LIBRARIES

RESULT, KEY = "base.jsonl", "key"
WRITTEN, PROMPTS = 32, 8  # tokens of each of so many answers, by which the speed of writing is measured
FREE = "free memory, choose a smaller model, or model.quantization=nf4"


@dataclass(frozen=True)
class Texts:
    """What is the same for all bases: the records, with the rows that are trained on, and the probes that are asked."""

    data: PreparedData
    probes: tuple[Probe, ...]
    steps: int


def measure(
    candidate: Candidate, texts: Texts, place: Path, key: str, progress: Progress, interrupt: Interrupt
) -> Measured:
    """What was measured; read from `place` where it was measured before with the same `key`. What cannot be used says why.

    Raises KeyboardInterrupt where training was stopped by Ctrl-C; it goes on from there the next time.
    """
    assert candidate.config is not None
    if is_done(place / RESULT, key):
        return read_one(place / RESULT, Measured)
    if (place / KEY).is_file() and (place / KEY).read_text(encoding="utf-8") != key:
        shutil.rmtree(place)  # of another state of the same model
    write_text(place / KEY, key)
    config = config_for(candidate.config, texts.probes, texts.steps)
    told = without_end(progress)
    try:
        with Run(place, told, name=candidate.name, seed=config.seed, model=config.model.path) as run:
            refuse_too_large(config, texts, run)
            measured = _measured(candidate, config, texts, run, interrupt)
    except (UserError, Diverged, MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | RuntimeError) and not is_out_of_memory(error):
            raise
        what, fix = reason_of(error)
        return Measured(candidate.name, candidate.setting, what, fix)
    finally:
        release_memory()  # of a model that has failed, too: what held it has ended by now
    write_jsonl(place / RESULT, [measured])
    mark_done(place / RESULT, key)
    for name in ("adapter", "checkpoint"):
        shutil.rmtree(place / name, ignore_errors=True)  # of a few steps: of no use, and large with adapter=full
    return measured


def config_for(config: RunConfig, probes: Sequence[Probe], steps: int) -> RunConfig:
    """So many steps, the same rows for each base, and only what asks the probes; at least what decides right or wrong."""
    members = {name: member for name, member in config.evaluation.items() if member.asks_probes}
    for probe in probes:
        decides = Choice(blind=False) if headline(probe) == "choice_norm" else Recall()
        if not any(isinstance(member, type(decides)) for member in members.values()):
            members[type(decides).__name__.lower()] = decides
    return replace(
        config,
        evaluation={**members, NAME: AnswerProbability()},
        rows=replace(config.rows, replay=0.0),  # replayed rows would be each model's own
        stopping=replace(config.stopping, patience=None, monitor="train_recall", checks_per_epoch=1),
        epochs=max(1, steps),
        budget=steps or None,
        retrain="none",
        dev=0.0,
    )


def estimate_of(config: RunConfig, texts: Texts) -> RunEstimate:
    """What measuring one base takes. `config`: as `config_for` gives it."""
    data = replace(texts.data, split=replace(texts.data.split, test=("",) * len(texts.probes), untaught=()))
    return of_a_base(config, estimate_run(replace(config, questions=None), None, data, quickly=True))


def of_a_base(config: RunConfig, estimate: RunEstimate) -> RunEstimate:
    """An estimate of a training as that of so many steps, or of none."""
    needs = estimate.needs
    if needs is None:
        return estimate
    if config.budget is None:  # no training
        sizes, trainer = sizes_of(config.model), config.trainer
        where = expected_place(trainer.device, trainer.precision, trainer.threads)
        weights = sizes.weight_bytes(where.itemsize, config.model.quantization) if sizes else None
        needs = replace(needs, share=0.0, memory=None if weights is None else int(weights + LIBRARIES), recompute=False)
    if needs.seconds is not None:
        needs = replace(needs, epochs=1, once_s=needs.seconds, epoch_s=0.0, share=1.0)
    return replace(estimate, training=None, needs=needs)


def refuse_too_large(config: RunConfig, texts: Texts, run: Run) -> None:
    """Before it is loaded: on a CPU the system would end the whole command."""
    estimate = estimate_of(config, texts)
    run.send(Estimated(estimate))
    needs: Needs | None = estimate.needs
    if needs and needs.memory is not None and needs.free is not None and needs.memory > needs.free:
        what = f"it needs about {needs.memory / 2**30:.1f} GiB of memory, and {needs.free / 2**30:.1f} are free"
        raise UserError(Problem(what, "model.path", config.model.path, FREE))


def reason_of(error: BaseException) -> tuple[str, str]:
    """(why a base cannot be used, what to do), without the path, which its line has already."""
    if isinstance(error, UserError):
        first, *others = error.problems
        more = f"; and {len(others)} more" if others else ""
        return f"{first.what.rstrip('.')}{more}", first.fix.replace("model.path=", "")
    if isinstance(error, Diverged):
        return f"its training failed: {error}", ""
    return "the memory of the device is full", FREE


def _measured(candidate: Candidate, config: RunConfig, texts: Texts, run: Run, interrupt: Interrupt) -> Measured:
    session = ModelSession.load(config, run)
    probes = Probes((), texts.probes)
    probe_set = with_open_book(config, texts.data, probes)
    scored = {
        CLOSED: score_model(probe_set, session.untrained(), "untuned", run),
        OPEN: score_model(probe_set, session.untrained(), "open_book", run),
    }
    writing = _writing_speed(session.untrained(), texts.probes, run)
    training = None
    if texts.steps:
        adapter = train_adapters(config, texts.data, probes, session, run, interrupt)["tuned"]
        if interrupt.requested:
            raise KeyboardInterrupt
        told, rows = run.record["training"], read_jsonl(run.folder / ROWS / "train.jsonl", Row)
        training = tokens_per_row(rows) * told["rows"] / max(told["seconds"], 1e-3)
        scored[AFTER] = score_model(probe_set, session.trained(adapter), "tuned", run)
    tokens = sum(len(session.chat.tokens(document.text)) for document in texts.data.documents)
    return Measured(
        candidate.name,
        candidate.setting,
        right={name: right_of(texts.probes, each) for name, each in scored.items()},
        probability=scored[CLOSED].metrics.get(NAME),
        probability_after=scored[AFTER].metrics.get(NAME) if AFTER in scored else None,
        parameters=run.record["model_parameters"],
        tokens=tokens,
        writing=writing,
        training=training,
        device=run.record["device"],
        precision=run.record["precision"],
        seconds=round(run.seconds, 1),
        notes=tuple(run.record["notes"]),
    )


def right_of(probes: Sequence[Probe], scored: Scored) -> dict[str, float]:
    """1 or 0 for each probe that was asked, by the metric that decides for it."""
    found = {probe.id: right(probe, scored.answers.get(probe.id)) for probe in probes}
    return {probe: float(verdict) for probe, verdict in found.items() if verdict is not None}


def _writing_speed(model: LanguageModel, probes: Sequence[Probe], run: Run) -> float:
    """Tokens a second, of several answers at once; the first one, which is slower, is not counted."""
    if "writing" not in run.record:
        prompts = [model.chat.prompt(probe.question) for probe in probes[:PROMPTS]]
        with run.stage("speed", "Timing its writing"), model.reading():
            model.generate(prompts[:1], 2)
            began = time.monotonic()
            rows = model.generate(prompts, WRITTEN)
            run.record["writing"] = sum(map(len, rows)) / max(time.monotonic() - began, 1e-6)
    return float(run.record["writing"])


def without_end(progress: Progress) -> Progress:
    """The end of one base is not that of the command; and the curve of a few steps tells nothing."""
    return lambda event: None if isinstance(event, RunEnded | Checked) else progress(event)
