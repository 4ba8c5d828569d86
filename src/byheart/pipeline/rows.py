"""Rows: what a run trains on and validates on, as tokens.

They are kept in `rows/` of the run's folder, and a resumed run reads them there: a chat template may name the date, and
a tokenizer may change, but training goes on with the rows that it began with.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice, takewhile
from pathlib import Path
from typing import Any

from byheart.data.rows import TokenizedExample
from byheart.errors import Problem, UserError
from byheart.evaluation.recall import accepted
from byheart.model.language import LanguageModel
from byheart.model.replay import DISTINCT, Conversation, converse, expectations, plain_texts, question_start
from byheart.pipeline.budget import countdown
from byheart.pipeline.evaluate import Probes
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData, data_key
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Advanced
from byheart.records import FORWARD, Example, Json
from byheart.store import (
    content_key,
    is_done,
    mark_done,
    read_json,
    read_jsonl,
    read_object,
    read_records,
    write_json,
    write_jsonl,
)
from byheart.training.layout import Row, SoftTargets

ROWS = "rows"
UNLIMITED = 2**62  # tokens, of a model without a longest position
FILES = _TAUGHT, _REPLAYED, _TOO_LONG, _LAST = "train.jsonl", "replayed.jsonl", "too_long.json", "validation.jsonl"


@dataclass(frozen=True)
class _Made:
    """All rows of a run. `replayed` are the different ones, each to be taken as often as it takes."""

    taught: list[Row]
    replayed: list[Row]
    validate: list[Row]
    too_long: dict[str, Any] | None  # what was left out, as ledger.json has it


def rows_key(config: RunConfig) -> str:
    """The content key of the rows."""
    questions = [config.dev] if config.dev else []  # a share of the questions is validated on too
    return content_key(data_key(config), config.rows, config.model, *questions)


def make_rows(
    config: RunConfig,
    data: PreparedData,
    probes: Probes,
    session: ModelSession,
    run: Run,
    replay: bool = True,
    sampling_s: float = math.inf,
) -> tuple[list[Row], list[Row]]:
    """The rows to train on, among them those that replay what the model knows, and those that are validated on.

    `replay=False`: for a training that is finished, whose rows are not sampled once more.
    `sampling_s`: seconds after which sampling ends with what there is; by default rows depend on the model alone.
    """
    folder, key = run.folder / ROWS, rows_key(config)
    if is_done(folder / _LAST, key) and all((folder / name).exists() for name in FILES):
        made = _read(folder)
    else:
        made = _make(config, data, probes, session, run, sampling_s if replay else None)
        if replay:
            _write(folder, made)
            mark_done(folder / _LAST, key)
    _tell_too_long(made, run)
    count = config.rows.replayed(len(made.taught))
    return [*made.taught, *islice(cycle(made.replayed), count)], made.validate


def with_more(config: RunConfig, rows: Sequence[Row], more: Sequence[Row]) -> list[Row]:
    """A run's rows and further ones that teach, with as large a share of replayed rows as before."""
    taught, replayed = [row for row in rows if row.soft is None], [row for row in rows if row.soft is not None]
    taught += more
    return [*taught, *islice(cycle(replayed[:DISTINCT]), config.rows.replayed(len(taught)))]


def rows_of(config: RunConfig, examples: Sequence[Example], session: ModelSession) -> dict[str, Row]:
    """Example id -> its row, without those that are too long."""
    limit = min(config.rows.max_tokens, session.language_model().longest or UNLIMITED)
    made = [each for each in config.rows.build(examples, session.chat) if len(each.tokens) <= limit]
    return {each.example: Row(each.tokens, each.loss_from) for each in made}


def copy_rows(made: Path, folder: Path) -> None:
    """The rows that were made in one folder, as if they had been made in the other."""
    if (made / ROWS / _LAST).is_file():
        (folder / ROWS).mkdir(exist_ok=True)
        for file in sorted(
            (made / ROWS).glob("*.json*"), key=lambda file: file.name.startswith(".")
        ):  # the marker last
            shutil.copy2(file, folder / ROWS / file.name)


def tokens_per_row(rows: Sequence[Row]) -> float:
    return sum(len(row.tokens) for row in rows) / max(1, len(rows))


def _read(folder: Path) -> _Made:
    taught, replayed, validate = (read_jsonl(folder / name, Row) for name in (_TAUGHT, _REPLAYED, _LAST))
    return _Made(taught, replayed, validate, read_json(folder / _TOO_LONG))


def _write(folder: Path, made: _Made) -> None:
    write_json(folder / _TOO_LONG, made.too_long)
    for name, rows in ((_TAUGHT, made.taught), (_REPLAYED, made.replayed), (_LAST, made.validate)):
        write_jsonl(folder / name, [asdict(row) for row in rows])


def _make(
    config: RunConfig, data: PreparedData, probes: Probes, session: ModelSession, run: Run, sampling_s: float | None
) -> _Made:
    # Up to 2026-11-28 long rows were cut, and kept as a dataset that is read no more: such a run goes on as it began.
    cut = (run.folder / ROWS / "train").is_dir()
    positions = session.language_model().longest or UNLIMITED
    limit = config.rows.max_tokens if cut else min(config.rows.max_tokens, positions)
    with run.stage("rows", "Tokenizing rows") as note:
        theirs = [  # rows that validation loss is measured on; none of them is trained on
            Example(probe.id, probe.question, accepted(probe)[0], probe.facts, "simple", FORWARD, "questions")
            for probe in probes.dev
        ]
        held_out = [*data.examples_of(data.split.validation), *theirs]
        parts = {
            name: config.rows.build(examples, session.chat)
            for name, examples in (("train", data.examples_of(data.split.train)), ("validation", held_out))
        }
        train, validate = (_fitting(part, limit, cut) for part in parts.values())
        too_long = None if cut else _too_long(parts, limit, positions)
        note(
            f"{len(train):,} rows, {sum(len(row.tokens) for row in train):,} tokens, {tokens_per_row(train):.0f} a row"
        )
        if theirs:
            note(
                f"{len(theirs)} of your questions are used for validation (dev={config.dev:g}) and not scored at the end"
            )
    gone = [name for name, rows in (("train", train), ("validation", validate)) if parts[name] and not rows]
    if gone and not (cut and train):
        raise UserError(_none_left(gone[0], parts, limit, positions))
    count, replayed = config.rows.replayed(len(train)), list[Row]()
    if count and sampling_s is not None:
        replayed = _replayed(config, count, limit, session, run, sampling_s)
    return _Made(train, replayed, validate, too_long)


def _fitting(examples: Sequence[TokenizedExample], limit: int, cut: bool) -> list[Row]:
    """Rows of at most `limit` tokens. Longer ones are left out; with `cut` only those whose question alone is longer."""
    rows = [Row(e.tokens[:limit], e.loss_from) for e in examples if cut or len(e.tokens) <= limit]
    return [row for row in rows if row.loss_from < len(row.tokens)]


def _too_long(parts: dict[str, list[TokenizedExample]], limit: int, positions: int) -> dict[str, Any] | None:
    """What is left out because of its length, with the sentence that says so; None where all rows fit."""
    left = {name: [e.example for e in part if len(e.tokens) > limit] for name, part in parts.items()}
    if not any(left.values()):
        return None
    longest = max(len(e.tokens) for part in parts.values() for e in part)
    counts = " and ".join(
        f"{len(ids)} of {len(parts[name])} {name} rows" for name, ids in left.items() if ids or name == "train"
    )
    said = f"{counts} are left out: they are longer than {_limit(limit, positions)}; the longest has {longest:,} tokens"
    if longest <= positions:
        said += f", so rows.max_tokens={longest} keeps all of them"
    return {"limit": limit, "longest": longest, **left, "said": said}


def _limit(limit: int, positions: int) -> str:
    return f"the {limit:,} tokens that the model reads" if limit == positions else f"rows.max_tokens={limit}"


def _none_left(name: str, parts: dict[str, list[TokenizedExample]], limit: int, positions: int) -> Problem:
    shortest = min(len(e.tokens) for e in parts[name])
    longest = max(len(e.tokens) for part in parts.values() for e in part)
    what = f"no {name} row is left: they have {shortest:,} tokens and more, the longest of all rows has {longest:,}"
    if limit == positions or shortest > positions:
        fix = "choose a model that reads longer texts, or write shorter examples (chunks.max_tokens)"
        return Problem(f"{what}, and the model reads {positions:,}", "model.path", fix=fix)
    fix = f"rows.max_tokens={min(longest, positions)} keeps {'all of them' if longest <= positions else 'most'}"
    return Problem(what, "rows.max_tokens", str(limit), fix)


def _tell_too_long(made: _Made, run: Run) -> None:
    """The note, and what is left out in the run's ledger."""
    if made.too_long is None:
        return
    account, said = {**made.too_long}, made.too_long["said"]
    del account["said"]
    run.note(said)
    ledger = run.folder / "ledger.json"
    if ledger.is_file():
        whole: Json = read_object(ledger)
        short = [*(line for line in whole["short"] if line != said), said]
        write_json(ledger, {**whole, "too_long": account, "short": short})


def _replayed(
    config: RunConfig, count: int, limit: int, session: ModelSession, run: Run, sampling_s: float
) -> list[Row]:
    """The base model's own conversations and texts as rows, with what it expects at each of their tokens."""
    model, new = session.untrained(), min(count, DISTINCT)
    with run.stage("replay", "Sampling texts of the base model for replay") as note:
        # With a limit texts come first: as far as they came, they are of use. A question that has no end is not.
        written, spoken, ended = (countdown(share * sampling_s) for share in (0.35, 0.75, 1.0))

        def on_progress(before: int, done: int, total: int) -> None:
            run.send(Advanced("", before + done, new, unit="texts"))

        on_progress(0, 0, new)
        texts = plain_texts(model, new // 2, partial(on_progress, 0), written) if sampling_s < math.inf else []
        said = _begun_with(run) or converse(model, new - new // 2, partial(on_progress, len(texts)), spoken)
        if spoken() > 0:
            texts = plain_texts(model, new - len(said), partial(on_progress, len(said)), spoken)
        sources: list[tuple[list[int], int]] = [(tokens, 1) for tokens in texts]
        for each in said:
            prompt = session.chat.prompt(each.question)
            answer = session.chat.answer(each.answer, end=each.finished)
            sources.append(([*prompt, *answer], question_start(session.chat, prompt)))
        if spoken() <= 0:  # of both kinds some are kept, should there be no time for all
            sources = [sources[i] for i in sorted(range(len(sources)), key=lambda i: i % max(1, len(texts)))]
        # A replayed row is cut: at every token it asks for what the model says, so none teaches to stop there.
        taken = takewhile(lambda _: ended() > 0, sources)
        rows = [_row(model, tokens[:limit], start) for tokens, start in taken if start < min(len(tokens), limit)]
        cut = sum(len(tokens) > limit for tokens, _ in sources)
        times = f", {count / new:.2g} times an epoch" if count > new else ""
        note(f"{len(said)} conversations and {len(texts)} texts of the base model{times}, mixed with the other rows")
        note(f"{cut} of them are cut to {limit} tokens" if cut else "")
    if len(rows) < new and min(spoken(), ended()) <= 0:
        run.record["replay"] = {"sampled": len(rows), "wanted": new}
        run.note(
            f"replay: {len(rows)} of {new} conversations and texts were sampled in the time that budget={config.budget} "
            "leaves for it"
        )
    shown = [{"text": session.tokenizer.decode(tokens)} for tokens in texts]
    write_jsonl(run.folder / "replay.jsonl", [*map(asdict, said), *shown])
    return rows


def _row(model: LanguageModel, tokens: list[int], start: int) -> Row:
    return Row(tokens, start, SoftTargets(*expectations(model, tokens, start)))


def _begun_with(run: Run) -> list[Conversation]:
    """The conversations of a run that began before rows were kept: the cache of that time does not give them again."""
    file = run.folder / "replay.jsonl"
    lines = read_records(file) if file.is_file() and (run.folder / ROWS / "train").is_dir() else []
    return [Conversation(**line) for line in lines if "question" in line]
