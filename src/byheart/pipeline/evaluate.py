"""Scoring: the same probes for the untuned model, open book, and the trained adapters."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from byheart.evaluation.base import METRICS, NOTHING, AskedOnce, Material, Paid, Scored, combine
from byheart.evaluation.forgetting import priming_rows
from byheart.evaluation.kinds import OF_SOURCE, USERS, kinds_of, sample_trained
from byheart.evaluation.profile import Profile, profiles
from byheart.evaluation.questions import about_documents, dev_share, load_questions
from byheart.evaluation.retrieval import OpenBook
from byheart.evaluation.sampling import sampled
from byheart.evaluation.summary import GENERATED, QUESTIONS, TRAINED, UNTAUGHT, answer_rows, summarise
from byheart.evaluation.verbatim import continuations
from byheart.model.language import LanguageModel
from byheart.pipeline.budget import facts_that_fit, open_book_that_fits, probes_that_fit
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train_on import weights_key
from byheart.progress import Advanced
from byheart.records import Example, Json, Probe
from byheart.report.next_steps import from_here
from byheart.store import content_key, is_done, mark_done, read_object, read_one, write_json, write_jsonl

TIMED = 16  # probes, by which the speed of scoring is found
TITLES = {
    "untuned": "Scoring the untuned model",
    "open_book": "Scoring the untuned model with open book",
    "tuned": "Scoring the tuned model",
    "tuned_open_book": "Scoring the tuned model with open book",
}


@dataclass(frozen=True)
class Probes:
    """`dev`: those of the user's questions that are validated on. `final`: all that is only scored, theirs and ours."""

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
    """The user's questions, the test half of the held-out examples, questions on facts that no row teaches, and a sample of
    the training rows."""
    file = questions or config.questions
    # Questions on documents that were not learned are set aside: they would measure nothing.
    asked, _ = about_documents(load_questions(file, data.documents)) if file else ([], [])
    dev, rest = dev_share([replace(probe, kind=USERS) for probe in asked], 0.0 if questions else config.dev)
    again = sample_trained(data.examples_of(data.split.test), data.examples_of(data.split.train))
    ours = [
        *probes_of(data, data.split.test),
        *probes_of(data, data.split.untaught, UNTAUGHT),
        *probes_of(data, [example.id for example in again], TRAINED),
    ]
    return Probes(tuple(dev), (*rest, *ours))


def probes_of(data: PreparedData, ids: Sequence[str], source: str = GENERATED) -> list[Probe]:
    """Examples as probes."""
    home = {fact.id: fact.document for fact in data.facts} | {chunk.id: chunk.document for chunk in data.chunks}
    examples = data.examples_of(tuple(ids))
    held_out = examples if source == GENERATED else []
    kinds = kinds_of(held_out, data.examples_of(data.split.train)) if held_out else {}
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
            kind=kinds.get(e.id) or OF_SOURCE.get(source, ""),
        )
        for e in examples
    ]


def with_open_book(config: RunConfig, data: PreparedData, probes: Probes) -> ProbeSet:
    open_book, how = OpenBook(data.documents, data.chunks, data.facts).open(probes.final)
    return ProbeSet(config, probes.final, tuple(open_book), how, material_of(data, probes.final))


def material_of(data: PreparedData, probes: Sequence[Probe] = ()) -> Material:
    """What rows teach, and what was held out whole, for members that audit the training; the probes as they were asked."""
    split = data.split
    examples = data.examples_of(split.train)
    taught = {fact for example in examples for fact in example.facts}
    held_out = set(split.heldout_facts)
    return Material(
        data.documents,
        [fact for fact in data.facts if fact.id in taught - held_out],
        [fact for fact in data.facts if fact.id in held_out],
        {probe.id: probe for probe in probes},
        wordings_of(data, taught - held_out),
        examples,
        [*probes_of(data, (*split.validation, *split.test)), *probes_of(data, split.train, TRAINED)],
    )


def wordings_of(data: PreparedData, facts: Collection[str]) -> dict[str, list[Example]]:
    """Fact.id -> all examples on it alone, trained and held out."""
    found: dict[str, list[Example]] = {}
    for example in data.examples_of((*data.split.train, *data.split.validation, *data.split.test)):
        if len(example.facts) == 1 and example.facts[0] in facts:
            found.setdefault(example.facts[0], []).append(example)
    return found


def within_budget(probe_set: ProbeSet, model: LanguageModel, run: Run) -> ProbeSet:
    """The probes that can be asked of all models in a budget of time: all, or a sample of them, the user's questions first.

    The untuned model is timed on a few of them. A resumed run asks as many as it did before.
    """
    config, record = probe_set.run_config, run.record
    trained = [probe for probe in probe_set.probes if probe.source == TRAINED]
    probes = [probe for probe in probe_set.probes if probe.source != TRAINED]
    wanted = _profiled(probe_set)
    if config.limit.seconds is None or not probes or (len(probes) <= TIMED and not wanted):
        return probe_set
    if "probes_asked" not in record:
        some, began = sampled(probes, TIMED), time.monotonic()
        with run.stage("speed", f"Timing the untuned model on {len(some)} questions"):
            for title, member in config.evaluation.items():
                if member.asks_probes:
                    member.score(model, some, partial(_report, run, title, "questions"), probe_set.material)
        seconds_each = (time.monotonic() - began) / len(some)
        most, cost = facts_that_fit(config, run, seconds_each)
        record["facts_profiled"] = min(wanted, max(1, int(most)))
        fit = int(probes_that_fit(config, run, seconds_each) - cost * record["facts_profiled"])
        theirs = sum(probe.source == QUESTIONS for probe in probes)
        again = min(len(trained), max(0, fit - theirs) // 3)  # for two that are held out, one that is trained
        record["probes_asked"] = min(len(probes), max(TIMED, fit - again))
        record["trained_asked"] = min(len(trained), max(again, fit - len(probes)))
    probe_set = _profiling(probe_set, record.get("facts_profiled", wanted), wanted, run)
    count, again = record["probes_asked"], record.get("trained_asked", 0)  # none in runs of an older byheart
    if count >= len(probes) and again >= len(trained):
        return probe_set
    run.note(
        f"{count + again} of {len(probe_set.probes)} questions are asked, chosen at random: more would take too much of "
        f"budget={config.budget} (all of them afterwards: byheart evaluate run={from_here(run.folder)})"
    )
    theirs_first = sampled([probe for probe in probes if probe.source == QUESTIONS], count)
    held_out = sampled([probe for probe in probes if probe.source != QUESTIONS], count - len(theirs_first))
    facts = {probe.group for probe in held_out}
    paired = [probe for probe in trained if probe.group in facts]
    return _only(probe_set, [*theirs_first, *held_out, *sampled(paired or trained, again)])


def _only(probe_set: ProbeSet, some: Sequence[Probe]) -> ProbeSet:
    chosen = {probe.id for probe in some}
    kept, opened = (tuple(p for p in part if p.id in chosen) for part in (probe_set.probes, probe_set.open_book))
    return replace(probe_set, probes=kept, open_book=opened)


def _profiled(probe_set: ProbeSet) -> int:
    """How many facts are profiled, at most."""
    members = [member for member in probe_set.run_config.evaluation.values() if isinstance(member, Profile)]
    taught = len(probe_set.material.taught)
    return sum(min(taught, member.facts or taught) for member in members)


def _profiling(probe_set: ProbeSet, facts: int, wanted: int, run: Run) -> ProbeSet:
    """With so many facts profiled."""
    if facts >= wanted:
        return probe_set
    config = probe_set.run_config
    run.note(f"{facts} of {wanted} facts are profiled: more would take too much of budget={config.budget}")
    members = {k: replace(m, facts=facts) if isinstance(m, Profile) else m for k, m in config.evaluation.items()}
    return replace(probe_set, run_config=replace(config, evaluation=members))


def _report(run: Run, title: str, unit: str, done: int, total: int) -> None:
    run.send(Advanced(title, done, total, unit=unit))


def score_model(
    probe_set: ProbeSet, model: LanguageModel, name: str, run: Run, weights: Sequence[object] = ()
) -> Scored:
    """What one model scores, from the run's folder where it was scored before with the same probes.

    `weights`: tells those of a run that was trained on from its earlier ones (`train_on.weights_key`).
    """
    reads = name.endswith("open_book")
    probes = probe_set.open_book if reads else probe_set.probes
    # Trained rows have a file of their own: a run of an older byheart has the other, and is not scored again for them.
    trained = [probe for probe in probes if probe.source == TRAINED]
    parts = {name: [probe for probe in probes if probe.source != TRAINED]} | (
        {f"{name}_trained": trained} if trained else {}
    )
    files = {part: run.folder / "scored" / f"{part}.jsonl" for part in parts}
    settings = probe_set.run_config.evaluation, probe_set.run_config.model, name, *weights
    keys = {part: content_key(tuple(some), *settings) for part, some in parts.items()}
    missing = [part for part in parts if not is_done(files[part], keys[part])]
    if missing:
        _tell_cut(model, [probe for part in missing for probe in parts[part]], reads, run)
        asked = AskedOnce(model)
        with run.stage(f"score_{name}", TITLES.get(name, f"Scoring the {name} model")) as note:
            for part in missing:
                scored = _score(probe_set, asked, parts[part], run, reads=reads, trained=part != name)
                write_jsonl(files[part], [scored])
                mark_done(files[part], keys[part] if scored.whole else "")  # no marker of other settings beside it
                for line in scored.notes:
                    run.note(line)
                if part == name:
                    note(_found(scored))
    main, *again = (read_one(files[part], Scored) for part in parts)
    return replace(main, answers=main.answers | {i: answer for each in again for i, answer in each.answers.items()})


def _score(
    probe_set: ProbeSet, model: AskedOnce, probes: Sequence[Probe], run: Run, reads: bool, trained: bool
) -> Scored:
    """With open book only what asks probes; of trained rows nothing that costs money either."""
    parts = []
    for title, member in probe_set.run_config.evaluation.items():
        if member.asks_probes or not (reads or trained):
            if trained and isinstance(member, Paid):
                continue
            unit = "questions" if member.asks_probes else "texts"
            run.send(Advanced(title, 0, None, unit=unit))
            parts.append(member.score(model, probes, partial(_report, run, title, unit), probe_set.material))
    return combine(*parts)


def _found(scored: Scored) -> str:
    """With the count: generated probes are included here, and left out of the table at the end."""
    found = {metric: scored.metrics[metric] for metric in ("choice_norm", "contains") if metric in scored.metrics}
    return "; ".join(f"{METRICS[metric]} {at.value:.2f} of {at.count}" for metric, at in found.items())


def _tell_cut(model: LanguageModel, probes: Sequence[Probe], reads: bool, run: Run) -> None:
    if cut := model.cut([probe.question for probe in probes]):
        what = "prompts with their passage" if reads else "questions"
        run.note(
            f"{cut} {what} are longer than the {model.longest} tokens that the model reads: their beginning was cut"
        )


def score_adapters(
    probe_set: ProbeSet, session: ModelSession, adapters: Mapping[str, Path], run: Run
) -> dict[str, Scored]:
    """Each trained adapter; and whether the tuned model still reads: with open book, as many probes as the budget allows."""
    scored: dict[str, Scored] = {}
    for name, adapter in sorted(adapters.items(), key=lambda each: each[0] == "tuned"):  # last: it is asked twice
        scored |= _score_adapter(probe_set, session.trained(adapter), name, run, weights_key(adapter))
    return {name: scored[name] for name in (*adapters, "tuned_open_book") if name in scored}


def _score_adapter(
    probe_set: ProbeSet, model: LanguageModel, name: str, run: Run, weights: Sequence[object]
) -> dict[str, Scored]:
    scored = {name: score_model(probe_set, model, name, run, weights)}
    if name == "tuned" and (some := _with_time_left(probe_set, run, weights)).probes:
        scored["tuned_open_book"] = score_model(some, model, "tuned_open_book", run, weights)
    return scored


def _with_time_left(probe_set: ProbeSet, run: Run, weights: Sequence[object]) -> ProbeSet:
    """All probes, or a sample of them; none where the budget of time leaves too little.

    Once scored, a resumed run asks the same; one that was trained on has other `weights`, and time of its own.
    """
    everything = len(probe_set.probes)
    before = run.record.get("open_book_asked", ())
    count = (
        before[0] if before and before[1:] == [*weights] else open_book_that_fits(probe_set.run_config, run, everything)
    )
    if count >= everything:
        return probe_set
    run.record["open_book_asked"] = [count, *weights]
    run.note(
        f"the tuned model is asked {count or 'none'} of {everything} questions with open book: "
        f"more would take too much of budget={probe_set.run_config.budget} (all of them afterwards: byheart evaluate "
        f"run={from_here(run.folder)})"
    )
    theirs = [probe for probe in probe_set.probes if probe.source == QUESTIONS]
    ours = [probe for probe in probe_set.probes if probe.source != QUESTIONS]
    some = sampled(theirs, max(2 * count // 3, count - len(ours)))
    return _only(probe_set, [*some, *sampled(ours, count - len(some))])


def write_scores(probe_set: ProbeSet, scored: dict[str, Scored], run: Run) -> Json:
    """answers.jsonl and scores.json; returns the content of scores.json. The headline stands in run.json too."""
    probes = _without_untrained_rows(probe_set.probes, run.folder)
    scores = summarise(probes, scored, probe_set.how)
    write_jsonl(run.folder / "answers.jsonl", answer_rows(probes, scored))
    if audited := continuations(scored, probe_set.material.taught):
        write_jsonl(run.folder / "verbatim.jsonl", audited)
    if primed := priming_rows(scored):
        write_jsonl(run.folder / "priming.jsonl", primed)
    if held := profiles(scored, probe_set.material):
        write_jsonl(run.folder / "profile.jsonl", held)
    write_json(run.folder / "scores.json", scores)
    run.record["recall"] = {name: scores[name] for name in ("probes", "headline", "all", "unknown")}
    return scores


def _without_untrained_rows(probes: Sequence[Probe], folder: Path) -> list[Probe]:
    """Rows that were too long to be trained on are no trained wording. An evaluation lies two folders below its run."""
    ledger = next(
        (each / "ledger.json" for each in (folder, *folder.parents[:2]) if (each / "ledger.json").is_file()), None
    )
    left_out = set(read_object(ledger).get("too_long", {}).get("train", ())) if ledger else set()
    return [probe for probe in probes if probe.source != TRAINED or probe.id not in left_out]
