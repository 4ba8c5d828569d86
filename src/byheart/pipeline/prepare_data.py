"""The stages without a model: documents -> chunks -> facts -> examples -> split. torch is not needed here."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from byheart.damage import line_for, refused
from byheart.data.facts import find_facts, lead_ins
from byheart.data.split import read_split
from byheart.documents.composition import describe, with_kinds
from byheart.documents.languages.language import UNSPACED, count_words, is_english, language_name, language_names
from byheart.documents.languages.mixed import languages_of
from byheart.documents.load import load_documents
from byheart.errors import Problem, UserError
from byheart.evaluation.questions import load_questions
from byheart.expansion.base import AsksAgain, Expansion, ExpansionResult, Source, TeacherExpansion, Wanted
from byheart.expansion.from_teacher.first_answers import helps
from byheart.expansion.from_teacher.observed import ObservedTeacher, TeacherProgress
from byheart.expansion.ledger import ASKED, join, ledger
from byheart.expansion.quotas import Quotas
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Advanced, LedgerWritten, Said
from byheart.records import Chunk, Document, Example, Fact, Json, Rejection, Split, counted
from byheart.store import content_key, is_done, mark_done, read_jsonl, write_json, write_jsonl
from byheart.teacher.base import Estimate, Teacher

_TELLING = 4  # words from which a question of the user also counts inside a longer one ("..., who must designate the operator?")
SHOWN = 4  # shortfalls that become notes: the whole of each kind, which come first
LAST = "split.json"  # the last file written: its done marker covers the others
FILES = ("documents.jsonl", "chunks.jsonl", "facts.jsonl", "examples.jsonl", "ledger.json", LAST)
SPARE = "spare.jsonl"  # with `rounds=`: good examples beyond the quotas


@dataclass(frozen=True)
class PreparedData:
    """The records that `prepare_data` makes."""

    documents: tuple[Document, ...]
    chunks: tuple[Chunk, ...]
    facts: tuple[Fact, ...]
    examples: tuple[Example, ...]
    split: Split

    def examples_of(self, ids: tuple[str, ...]) -> list[Example]:
        by_id = {example.id: example for example in self.examples}
        return [by_id[i] for i in ids]


def read_source(config: RunConfig, run: Run) -> Source | None:
    """Documents, chunks and facts; None where the records that `prepare_data` makes of them are in the run's folder."""
    return None if _is_prepared(run.folder, config) else _read(config, run)


def prepare_data(config: RunConfig, run: Run, source: Source | None = None) -> PreparedData:
    """The records, read from the run's folder if they were made with the same settings. `source`: where it is read already."""
    if _is_prepared(run.folder, config):
        run.send(Said("the examples exist already: those in the run's folder are used"))
        data = read_prepared_data(run.folder)
        _warn_of_edits(data.documents, run)
        return data
    source = source or _read(config, run)
    examples = _expand(config, source, run)
    split = _split(config, source, examples, run)
    mark_done(run.folder / LAST, data_key(config))
    return PreparedData(source.documents, source.chunks, source.facts, tuple(examples), split)


def data_key(config: RunConfig) -> str:
    """The content key of the records. The teacher is part of it only if an expansion asks a teacher."""
    asking = _asking(config).values()
    whom = [config.teacher.fingerprint, *(member.prompt_key for member in asking)] if asking else []
    return content_key(config.documents, config.questions, config.chunks, config.expansion, config.split, *whom)


def asks_teacher(config: RunConfig) -> bool:
    return bool(_asking(config))


def will_ask_teacher(config: RunConfig, run: Run) -> bool:
    """Whether `prepare_data` would: not where its records are in the run's folder already."""
    return asks_teacher(config) and not _is_prepared(run.folder, config)


def _is_prepared(folder: Path, config: RunConfig) -> bool:
    """All files are asked for: a message may have told the user to remove a damaged one."""
    names = (*FILES, SPARE) if config.rounds > 1 else FILES
    return is_done(folder / LAST, data_key(config)) and all((folder / name).is_file() for name in names)


def _asking(config: RunConfig) -> dict[str, TeacherExpansion]:
    return {name: member for name, member in config.expansion.items() if isinstance(member, TeacherExpansion)}


def estimate_teacher(config: RunConfig, source: Source) -> dict[str, Estimate]:
    """What the first round of each expansion that asks a teacher would take, and with `rounds=` the further ones at most:
    as if no fact were ever recalled. Nothing is sent."""
    source = replace(source, teacher=config.teacher)
    found = {name: config.teacher.estimate(member.requests(source)) for name, member in _asking(config).items()}
    facts, later = frozenset(fact.id for fact in source.facts), range(2, config.rounds + 1)
    for name, member in _asking(config).items():
        if isinstance(member, AsksAgain) and later:
            asked = [ask for number in later for ask in member.requests_again(source, Wanted(number, facts))]
            found[f"{name}, further rounds at most"] = config.teacher.estimate(asked)
    return found


def source_of(data: PreparedData) -> Source:
    """What expansions read, from the records of a run."""
    by_document: dict[str, list[Fact]] = {document.id: [] for document in data.documents}
    for fact in data.facts:
        by_document[fact.document].append(fact)
    governed: dict[str, str] = {}
    for document in data.documents:
        governed |= lead_ins(document, by_document[document.id])
    return Source(data.documents, data.chunks, data.facts, governed)


def read_prepared_data(folder: Path) -> PreparedData:
    """The records of a run whose `prepare_data` is finished."""
    if not (folder / LAST).is_file():
        raise UserError(
            Problem(
                "this run has no examples yet", str(folder), fix="choose a run that has examples.jsonl and split.json"
            )
        )
    if absent := [name for name in FILES if not (folder / name).exists()]:
        what = f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing from this run"
        fix = f"copy the file again, or let it be made again: {line_for(folder)}"
        raise UserError(Problem(what, str(folder), fix=fix))
    data = PreparedData(
        tuple(read_jsonl(folder / "documents.jsonl", Document)),
        tuple(read_jsonl(folder / "chunks.jsonl", Chunk)),
        tuple(read_jsonl(folder / "facts.jsonl", Fact)),
        tuple(read_jsonl(folder / "examples.jsonl", Example)),
        read_split(folder / LAST),
    )
    _refuse_parts(data, folder)
    return data


def _refuse_parts(data: PreparedData, folder: Path) -> None:
    """A file of lines that was cut between two of them can be read. Then others name what it lacks."""
    split = data.split
    examples = {id for part in (split.train, split.validation, split.test, split.untaught) for id in part}
    named = (
        ("examples.jsonl", examples, {example.id for example in data.examples}),
        ("facts.jsonl", {fact for e in data.examples for fact in e.facts}, {fact.id for fact in data.facts}),
        ("chunks.jsonl", {fact.chunk for fact in data.facts}, {chunk.id for chunk in data.chunks}),
        ("documents.jsonl", {chunk.document for chunk in data.chunks}, {document.id for document in data.documents}),
        ("split.json", {"train"}, {"train"} if split.train else set()),
    )
    for name, asked, there in named:
        if absent := asked - there:
            raise refused(folder / name, f"{len(absent)} of {len(asked)} that other files name are not in it")


def _read(config: RunConfig, run: Run) -> Source:
    with run.stage("documents", "Reading documents") as note:
        loaded = load_documents(config.documents, follow_links=config.follow_links)
        documents, chunks, facts, governed = list[Document](), list[Chunk](), list[Fact](), dict[str, str]()
        for document in loaded.documents:
            documents.append(with_kinds(document))
            own = config.chunks.split(document)
            stated = find_facts(document, own)
            chunks += own
            facts += stated
            governed |= lead_ins(document, stated)
        source = Source(tuple(documents), tuple(chunks), tuple(facts), governed)
        if not source.facts:
            raise UserError(
                Problem("the documents contain no sentence to learn", "documents", ", ".join(config.documents))
            )
        write_jsonl(run.folder / "documents.jsonl", source.documents)
        write_jsonl(run.folder / "chunks.jsonl", source.chunks)
        write_jsonl(run.folder / "facts.jsonl", source.facts)
        note(
            counted(len(source.documents), "document")
            + _languages(source.documents)
            + f", {counted(len(source.chunks), 'chunk')}, {counted(len(source.facts), 'fact')}"
        )
        for line in describe(source.documents):
            note(line)
    for warning in loaded.warnings:
        run.note(warning)
    return source


def _languages(documents: Sequence[Document]) -> str:
    """ " (2 German, 1 Chinese, 1 in part German)", the languages other than English; empty where there are none."""
    spoken = [languages_of(document) for document in documents]
    others = Counter(language_name(own) for own, *_ in spoken if not is_english(own))
    others.update(f"in part {language_names(parts)}" for own, *parts in spoken if is_english(own) and parts)
    alone = len(others) == 1 and others.total() == len(documents)
    named = [name if alone else f"{count} {name}" for name, count in others.most_common()]
    return f" ({', '.join(named)})" if named else ""


def _warn_of_edits(documents: tuple[Document, ...], run: Run) -> None:
    """A resumed run keeps the text that it read. The user is warned of a file that was edited since."""
    read_at = (run.folder / "documents.jsonl").stat().st_mtime
    for document in documents:
        file = Path(document.path)
        if file.is_file() and file.stat().st_mtime > read_at:
            run.note(f"{file} was changed after this run read it: the run continues with the old text")


def _expand(config: RunConfig, source: Source, run: Run) -> list[Example]:
    with run.stage("expansion", f"Making examples ({', '.join(config.expansion)})") as note:
        written = {
            name: write_examples(name, member, config.teacher, source, run) for name, member in config.expansion.items()
        }
        examples, rejected = join(written)
        write_jsonl(run.folder / "rejected.jsonl", rejected)
        examples, given_away = without_probes(config, examples)
        rejected += given_away
        if not examples:
            raise UserError(
                Problem(
                    "no example could be made",
                    "expansion",
                    ", ".join(config.expansion),
                    f"{_commonest(rejected, written)}see rejected.jsonl, or try expansion=rules",
                )
            )
        if config.rounds > 1:
            spare, _ = join({name: ExpansionResult(tuple(part.spare())) for name, part in written.items()})
            known = {example.id for example in examples}
            write_jsonl(run.folder / SPARE, [e for e in without_probes(config, spare)[0] if e.id not in known])
        account = ledger(source, written, examples, rejected, _asked(config, source.chunks))
        account["tokens_per_question"] = min((member.tokens_per_question for member in _dense(config)), default=None)
        write_jsonl(run.folder / "examples.jsonl", examples)
        write_jsonl(run.folder / "rejected.jsonl", rejected)
        write_json(run.folder / "ledger.json", account)
        angles = Counter(e.angle for e in examples)
        most = [f"{count} {angle}" for angle, count in angles.most_common(3)]
        note(f"{counted(len(examples), 'example')}: {', '.join([*most, '...'] if len(angles) > 3 else most)}")
    _report_ledger(account, source, run)
    return examples


def _report_ledger(account: Json, source: Source, run: Run) -> None:
    """Reports what is missing as notes, then sends the whole ledger to the listeners."""
    if account["uncovered"]:
        run.note(
            f"{len(account['uncovered'])} of {counted(len(source.facts), 'fact')} without examples in both directions;"
            " ledger.json lists them with the reasons"
        )
    for line in [*account["notes"], *account["short"][:SHOWN]]:
        run.note(line)
    if len(account["short"]) > SHOWN:
        run.note(f"{len(account['short']) - SHOWN} more lines of this kind; ledger.json and the page list them")
    names = {chunk.id: (chunk.headings or (source.titles[chunk.document],))[-1] for chunk in source.chunks}
    run.send(LedgerWritten(account, names))


def write_examples(
    name: str, member: Expansion, teacher: Teacher, source: Source, run: Run, wanted: Wanted | None = None
) -> ExpansionResult:
    """What one expansion writes; for a further round what it writes on the facts that are `wanted`.

    Where it asks a teacher, each reply is progress, and tokens and cost go to run.json.
    """
    again = partial(member.again, wanted=wanted) if wanted and isinstance(member, AsksAgain) else None
    if wanted and again is None:
        return ExpansionResult(())
    if not isinstance(member, TeacherExpansion):
        return member.expand(source)

    def show(progress: TeacherProgress) -> None:
        run.send(Advanced(name, progress.done, progress.total, str(progress), "requests"))

    run.send(Advanced(name, 0, None, unit="requests"))
    observed = ObservedTeacher(teacher, show)
    try:
        return (again or member.expand)(replace(source, teacher=observed))
    finally:
        _add_to_bill(observed.progress, run)


def _add_to_bill(progress: TeacherProgress, run: Run) -> None:
    bill = run.record["teacher"]
    bill["requests"] += progress.sent
    for name in ("cached", "failed", "input_tokens", "output_tokens"):
        bill[name] = bill.get(name, 0) + getattr(progress, name)
    bill["tokens"] += progress.input_tokens + progress.output_tokens
    bill["cost"] = None if progress.cost is None else (bill["cost"] or 0.0) + progress.cost
    run.save()


def _commonest(rejected: Sequence[Rejection], written: Mapping[str, ExpansionResult]) -> str:
    reasons = Counter(rejection.reason for rejection in rejected)
    reasons.update(why for part in written.values() for tally in part.tallies.values() for why in tally.failed)
    if not reasons:
        return ""
    why = reasons.most_common(1)[0][0]
    fix = helps(why, next(iter(written)))
    return f"mostly because {why}{f' ({fix})' if fix else ''}; "


def _split(config: RunConfig, source: Source, examples: list[Example], run: Run) -> Split:
    with run.stage("split", "Splitting into train, validation and test") as note:
        per_fact = max((member.examples_per_fact for member in _dense(config)), default=1)
        split = config.split.split(examples, source.facts, source.chunks, _asked(config, source.chunks), per_fact)
        if not split.train:
            raise UserError(
                Problem(
                    "the split leaves no example to train on", "split", fix="lower split.share or split.heldout_facts"
                )
            )
        write_json(run.folder / LAST, split)
        note(f"{len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test")
    run.note(split.note)
    return split


def without_probes(config: RunConfig, examples: list[Example]) -> tuple[list[Example], list[Rejection]]:
    """(examples, rejected): an example that asks one of the user's questions is never trained on."""
    if not config.questions:
        return examples, []
    asked = {_folded(probe.question) for probe in load_questions(config.questions)}
    long = [f" {question} " for question in asked if count_words(question) >= _TELLING]
    refused = {
        e.id
        for e in examples
        if (said := _folded(e.question)) in asked or any(question in f" {said} " for question in long)
    }
    return [e for e in examples if e.id not in refused], [Rejection(e, ASKED) for e in examples if e.id in refused]


def _folded(text: str) -> str:
    """Lower-case words; letters of a script without blanks are words of their own, so that a part of a run is found."""
    return " ".join(re.findall(r"\w+", UNSPACED.sub(lambda run: " ".join(f" {run[0]} "), text.lower())))


def _dense(config: RunConfig) -> list[Quotas]:
    """The expansions that ask for so many questions of each chunk."""
    return [member for member in config.expansion.values() if isinstance(member, Quotas)]


def _asked(config: RunConfig, chunks: tuple[Chunk, ...]) -> dict[str, int]:
    return {chunk.id: max((member.asked_of(chunk) for member in _dense(config)), default=0) for chunk in chunks}
