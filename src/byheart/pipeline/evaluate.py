"""Scoring: the same probes for the untuned model, open book, and the trained adapters."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from byheart.evaluation.base import METRICS, NOTHING, Material, Scored, combine
from byheart.evaluation.questions import about_documents, dev_share, load_questions
from byheart.evaluation.recall import sampled
from byheart.evaluation.retrieval import OpenBook
from byheart.evaluation.summary import GENERATED, QUESTIONS, UNTAUGHT, answer_rows, summarise
from byheart.evaluation.verbatim import continuations
from byheart.model.language import LanguageModel
from byheart.pipeline.budget import probes_that_fit
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Advanced
from byheart.records import Json, Probe
from byheart.report.next_steps import from_here
from byheart.store import content_key, is_done, mark_done, read_one, write_json, write_jsonl

TIMED = 16  # probes, by which the speed of scoring is found
TITLES = {
    "untuned": "Scoring the untuned model",
    "open_book": "Scoring the untuned model with open book",
    "tuned": "Scoring the tuned model",
}


@dataclass(frozen=True)
class Probes:
    """`dev`: those of the user's questions that are validated on. `final`: all that is only scored, theirs and generated."""

    dev: tuple[Probe, ...]
    final: tuple[Probe, ...]


@dataclass(frozen=True)
class ProbeSet:
    run_config: RunConfig
    probes: tuple[Probe, ...]
    open_book: tuple[Probe, ...]  # the same, with their passage before the question
    how: dict[str, str]  # how each passage was found
    material: Material = NOTHING


def collect_probes(config: RunConfig, data: PreparedData, questions: str | None = None) -> Probes:
    """The user's questions, the test half of the held-out examples, and questions on facts that no row teaches."""
    file = questions or config.questions
    # Questions on documents that were not learned are set aside: they would measure nothing.
    asked, _ = about_documents(load_questions(file, data.documents)) if file else ([], [])
    dev, rest = dev_share(asked, 0.0 if questions else config.dev)
    untaught = probes_of(data, data.split.untaught, UNTAUGHT)
    return Probes(tuple(dev), (*rest, *probes_of(data, data.split.test), *untaught))


def probes_of(data: PreparedData, ids: Sequence[str], source: str = GENERATED) -> list[Probe]:
    """Held-out examples as probes."""
    home = {fact.id: fact.document for fact in data.facts} | {chunk.id: chunk.document for chunk in data.chunks}
    return [
        Probe(
            e.id,
            e.question,
            (e.answer,),
            document=home.get(e.facts[0] if e.facts else e.chunk, ""),
            facts=e.facts,
            angle=e.angle,
            direction=e.direction,
            source=source,
            group=e.form[0],
        )
        for e in data.examples_of(tuple(ids))
    ]


def with_open_book(config: RunConfig, data: PreparedData, probes: Probes) -> ProbeSet:
    open_book, how = OpenBook(data.documents, data.chunks, data.facts).open(probes.final)
    return ProbeSet(config, probes.final, tuple(open_book), how, material_of(data))


def material_of(data: PreparedData) -> Material:
    """What rows teach, and what was held out whole, for members that audit the training."""
    taught = {fact for example in data.examples_of(data.split.train) for fact in example.facts}
    held_out = set(data.split.heldout_facts)
    return Material(
        data.documents,
        [fact for fact in data.facts if fact.id in taught - held_out],
        [fact for fact in data.facts if fact.id in held_out],
    )


def within_budget(probe_set: ProbeSet, model: LanguageModel, run: Run) -> ProbeSet:
    """The probes that can be asked of all models in a budget of time: all, or a sample of them, the user's questions first.

    The untuned model is timed on a few of them. A resumed run asks as many as it did before.
    """
    config, probes = probe_set.run_config, probe_set.probes
    count = run.record.get("probes_asked")
    if config.limit.seconds is None or len(probes) <= TIMED:
        return probe_set
    if count is None:
        some, began = sampled(probes, TIMED), time.monotonic()
        with run.stage("speed", f"Timing the untuned model on {TIMED} questions"):
            for title, member in config.evaluation.items():
                if member.asks_probes:
                    member.score(model, some, partial(_report, run, title, "questions"))
        fit = probes_that_fit(config, run, (time.monotonic() - began) / TIMED)
        count = run.record["probes_asked"] = min(len(probes), max(TIMED, int(fit)))
    if count >= len(probes):
        return probe_set
    run.note(
        f"{count} of {len(probes)} questions are asked, chosen at random: more would take too much of "
        f"budget={config.budget} (all of them afterwards: byheart evaluate run={from_here(run.folder)})"
    )
    theirs = sampled([probe for probe in probes if probe.source == QUESTIONS], count)
    generated = sampled([probe for probe in probes if probe.source != QUESTIONS], count - len(theirs))
    chosen = {probe.id for probe in (*theirs, *generated)}
    kept, opened = (tuple(p for p in part if p.id in chosen) for part in (probes, probe_set.open_book))
    return ProbeSet(config, kept, opened, probe_set.how, probe_set.material)


def _report(run: Run, title: str, unit: str, done: int, total: int) -> None:
    run.send(Advanced(title, done, total, unit=unit))


def score_model(
    probe_set: ProbeSet, model: LanguageModel, name: str, run: Run, weights: Sequence[object] = ()
) -> Scored:
    """What one model scores, from the run's folder where it was scored before with the same probes.

    `weights`: tells those of a run that was trained on from its earlier ones (`train_on.weights_key`).
    """
    probes = probe_set.open_book if name == "open_book" else probe_set.probes
    file = run.folder / "scored" / f"{name}.jsonl"
    key = content_key(probes, probe_set.run_config.evaluation, probe_set.run_config.model, name, *weights)
    if is_done(file, key):
        return read_one(file, Scored)
    members = {k: m for k, m in probe_set.run_config.evaluation.items() if name != "open_book" or m.asks_probes}
    if cut := model.cut([probe.question for probe in probes]):
        what = "prompts with their passage" if name == "open_book" else "questions"
        run.note(
            f"{cut} {what} are longer than the {model.longest} tokens that the model reads: their beginning was cut"
        )
    with run.stage(f"score_{name}", TITLES.get(name, f"Scoring the {name} model")) as note:
        parts = []
        for title, member in members.items():
            unit = "questions" if member.asks_probes else "texts"
            run.send(Advanced(title, 0, None, unit=unit))
            parts.append(member.score(model, probes, partial(_report, run, title, unit), probe_set.material))
        scored = combine(*parts)
        write_jsonl(file, [scored])
        mark_done(file, key)
        # With the count: generated probes are included here, and left out of the table at the end.
        found = {metric: scored.metrics[metric] for metric in ("choice_norm", "contains") if metric in scored.metrics}
        note("; ".join(f"{METRICS[metric]} {at.value:.2f} of {at.count}" for metric, at in found.items()))
    return scored


def write_scores(probe_set: ProbeSet, scored: dict[str, Scored], run: Run) -> Json:
    """answers.jsonl and scores.json; returns the content of scores.json."""
    scores = summarise(probe_set.probes, scored, probe_set.how)
    write_jsonl(run.folder / "answers.jsonl", answer_rows(probe_set.probes, scored))
    if audited := continuations(scored, probe_set.material.taught):
        write_jsonl(run.folder / "verbatim.jsonl", audited)
    write_json(run.folder / "scores.json", scores)
    return scores
