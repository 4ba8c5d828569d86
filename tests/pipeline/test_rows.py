"""The rows of a run: the same whenever the command is repeated or resumed; what is too long is left out and told."""

import json
import shutil
import signal
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from byheart import cli
from byheart.config.compose import read_request
from byheart.errors import UserError
from byheart.interface import check
from byheart.pipeline.evaluate import collect_probes
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import prepare_data
from byheart.pipeline.rows import make_rows
from byheart.pipeline.run import Run
from byheart.report.terminal import Terminal
from byheart.store import read_json, read_records
from sweep.toy import QUICK, TEXT

WORDS = [*QUICK, "rows.replay=0.3", "expansion.rules.max_examples=80", "split.at_least=24"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, toy_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("byheart.model.replay.QUESTION_TOKENS", 12)
    Path("a.txt").write_text(TEXT + "\n")
    shutil.copytree(toy_model, "model")
    return tmp_path


def rows(folder, *more):
    """A run up to its rows: those to train on, those to validate on, and its notes."""
    config = check(read_request([*WORDS, *more])).run_configs[0]
    with Run(Path(folder)) as run:
        data = prepare_data(config, run)
        train, validate = make_rows(config, data, collect_probes(config, data), ModelSession.load(config, run), run)
        return train, validate, run.record["notes"]


def lengths(rows):
    return [len(row.tokens) for row in rows if row.soft is None]


def middle(numbers):
    return sorted(numbers)[len(numbers) // 2]


def test_the_same_command_gives_the_same_rows_whatever_the_cache_holds():
    one, more, two = rows("one"), rows("more", "rows.replay=0.6"), rows("two")
    shutil.rmtree("cache")
    assert one == two == rows("three") and more != one
    assert sum(row.soft is not None for row in one[0]) == round(len(lengths(one[0])) * 3 / 7)


def test_a_resumed_run_trains_on_the_rows_that_it_began_with(monkeypatch):
    """Though the cache is gone and the template, which may hold a date, has changed."""
    words = ["learn", *WORDS, "epochs=2"]
    drawn = Terminal.curve

    def press_ctrl_c(self, point, points):
        drawn(self, point, points)
        signal.raise_signal(signal.SIGINT)

    assert cli.main([*words, "hydra.run.dir=whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "curve", press_ctrl_c)
        assert cli.main([*words, "hydra.run.dir=run"]) == 130
    shutil.rmtree("cache")
    template = Path("model/chat_template.jinja")
    template.write_text(template.read_text().replace("<s> assistant", "<s> system assistant"))
    assert cli.main(["learn", "resume=run"]) == 0
    for name in ("train", "replayed", "validation"):
        assert Path("run/rows", f"{name}.jsonl").read_bytes() == Path("whole/rows", f"{name}.jsonl").read_bytes()
    curves = [Path(folder, "curve.csv").read_text().splitlines() for folder in ("whole", "run")]
    losses = [[line.split(",")[:6] for line in curve] for curve in curves]
    assert losses[0] == losses[1] and len(losses[0]) == 5


def test_too_long_rows_are_left_out_told_and_counted():
    train, validate, _ = rows("whole")
    limit = middle(lengths(train))
    some, held, notes = rows("run", f"rows.max_tokens={limit}")
    assert lengths(some) == [n for n in lengths(train) if n <= limit] != lengths(train)
    assert lengths(held) == [n for n in lengths(validate) if n <= limit]
    ledger, split = read_json("run/ledger.json"), read_json("run/split.json")
    left = ledger["too_long"]
    assert left["train"] == [e for e, n in zip(split["train"], lengths(train), strict=True) if n > limit]
    assert len(left["validation"]) == sum(n > limit for n in lengths(validate))
    said = next(note for note in notes if "left out" in note)
    assert f"{len(left['train'])} of {len(lengths(train))} train rows" in said and said in ledger["short"]
    assert f"longer than rows.max_tokens={limit}" in said
    fix = f"rows.max_tokens={left['longest']}"
    assert f"{fix} keeps all of them" in said and lengths(rows("all", fix)[0]) == lengths(train)


def test_a_long_row_does_not_count_as_taught():
    """What each fact was seen, on the screen and the page, counts the rows that were trained on."""
    limit = middle(lengths(rows("rows")[0]))
    words = ["epochs=1", "evaluation=[]", "split.share=0", f"rows.max_tokens={limit}", "hydra.run.dir=run"]
    assert cli.main(["learn", *(word for word in WORDS if "evaluation" not in word), *words]) == 0
    left = read_json("run/ledger.json")["too_long"]
    examples = read_records("run/examples.jsonl")
    seen = Counter(f for e in examples if e["id"] not in left["train"] for f in e["facts"])
    assert len(left["train"]) > 5 and seen != Counter(f for e in examples for f in e["facts"])
    assert read_json("run/run.json")["learning"]["exposures"] == [
        min(seen.values()),
        median(seen.values()),
        max(seen.values()),
    ]
    assert f"rows.max_tokens={left['longest']} keeps all" in Path("run/report.html").read_text()


def test_replayed_rows_end_at_the_limit_too():
    replayed = [row for row in rows("run", "rows.max_tokens=16")[0] if row.soft]
    assert max(len(row.tokens) for row in replayed) == 16
    assert all(len(row.soft.tokens) == len(row.tokens) - row.loss_from > 0 for row in replayed)


def test_where_no_row_fits_the_limit_that_fits_is_named():
    with pytest.raises(UserError) as error:
        rows("run", "rows.max_tokens=8")
    problem = error.value.problems[0]
    assert problem.where == "rows.max_tokens" and "no train row is left" in problem.what
    fix = problem.fix.split()[0]
    train, validate, notes = rows("again", fix)
    assert not any("left out" in note for note in notes)
    shortest = min(lengths(validate))
    assert min(lengths(train)) < shortest
    with pytest.raises(UserError, match="no validation row is left"):
        rows("neither", f"rows.max_tokens={shortest - 1}")


def test_a_row_that_the_model_cannot_read_is_left_out():
    train = rows("whole")[0]
    limit = middle(lengths(train))
    settings = read_json("model/config.json")
    Path("model/config.json").write_text(json.dumps(settings | {"max_position_embeddings": limit}))
    some, _, notes = rows("run")
    assert lengths(some) == [n for n in lengths(train) if n <= limit]
    assert any(f"longer than the {limit} tokens that the model reads" in note for note in notes)
    Path("model/config.json").write_text(json.dumps(settings | {"max_position_embeddings": 6}))
    with pytest.raises(UserError, match=r"model.path: no train row is left.* the model reads 6"):
        rows("none")


def test_a_run_of_before_goes_on_with_the_rows_that_it_began_with():
    """It cut long rows; what it replayed was drawn otherwise, and is in its replay.jsonl."""
    whole = lengths(rows("run")[0])
    shutil.rmtree("run/rows")
    Path("run/rows/train").mkdir(parents=True)
    lines = [{"question": "Where was Ada born ?", "answer": "Bern", "finished": True}] * 4
    Path("run/replay.jsonl").write_text("\n".join(map(json.dumps, lines)))
    limit = middle(whole)
    train = rows("run", f"rows.max_tokens={limit}")[0]
    assert lengths(train) == [min(n, limit) for n in whole]
    assert [line for line in read_records("run/replay.jsonl") if "question" in line] == lines
