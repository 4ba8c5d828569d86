"""`make results`: what a verdict says of made results, by hand; and the whole table with toys."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import results
from claims import base, batch, decay, directions, smooth, upturn
from claims.base import REVERSE, TRAINED, WORDING, Trial
from claims.prepare import Document

from byheart.errors import Problem, UserError
from byheart.results import INTERRUPTED, LearnResult
from sweep.toy import QUICK, TEXT


def score(values, kind=WORDING, **columns):
    """Probes with these F1, one a fact; a curve with these columns."""
    probes = [{"id": f"{kind}:{i}", "kind": kind, "group": str(i), "f1": value} for i, value in enumerate(values)]
    points = len(next(iter(columns.values()), ()))
    return {"probes": probes, "curve": [{name: column[i] for name, column in columns.items()} for i in range(points)]}


def both(one, other):
    return {**one, "probes": one["probes"] + other["probes"]}


def test_a_verdict_pairs_by_question_over_documents_and_seeds():
    """By hand: the differences are 0.5 and 0.25 in one cell, 0 and 0.25 in the other, so +0.25 in the mean of four."""
    constant, linear = decay.CONSTANT.name, decay.DECAY.name
    made = {
        ("a", 0, constant): score([0.0, 0.5]),
        ("a", 0, linear): score([0.5, 0.75]),
        ("b", 1, constant): score([1.0, 0.25]),
        ("b", 1, linear): score([1.0, 0.5]),
        ("b", 0, constant): score([0.0, 0.0]),  # alone: it is compared with nothing
    }
    found = decay.verdict(made).comparisons[0]
    assert found.difference.value == pytest.approx(0.25)
    assert found.means == pytest.approx((0.4375, 0.6875))
    assert (found.difference.count, found.groups) == (4, 4)
    assert found.difference.low == pytest.approx(
        0.0625, abs=0.07
    )  # of draws of 4 with replacement from 0.5, 0.25, 0, 0.25


def test_seeds_of_a_fact_are_one_group_and_a_constant_difference_keeps_doubt():
    """Two seeds, two facts, +0.5 everywhere: Wilson's limit for 0 of 2 groups, 0.658, is the share that may be unlike."""
    arms = {decay.CONSTANT.name: 0.25, decay.DECAY.name: 0.75}
    made = {("a", seed, name): score([value] * 2) for seed in (0, 1) for name, value in arms.items()}
    found = decay.verdict(made).comparisons[0]
    assert (found.difference.count, found.groups) == (4, 2)
    assert found.difference.low == pytest.approx(0.5 - 0.6576 * 1.5, abs=1e-3)
    assert found.difference.high == pytest.approx(0.5 + 0.6576 * 0.5, abs=1e-3)
    assert found.answer == "not decided"


@pytest.mark.parametrize(
    "after, answer", [([1.0] * 30, "yes"), ([0.0] * 30, "no, the other way round"), ([0.5] * 30, "not decided")]
)
def test_the_interval_decides(after, answer):
    made = {("a", 0, decay.CONSTANT.name): score([0.5] * 30), ("a", 0, decay.DECAY.name): score(after)}
    assert f": {answer}. linear decay" in decay.verdict(made).sentence


def test_nothing_is_said_of_what_was_not_run():
    for name in results.CLAIMS:
        claim = results.importlib.import_module(f"claims.{name}")
        assert claim.verdict({}) == base.NOT_MEASURED
        assert (
            claim.TITLE and len(claim.trials(base.Material("a", dict.fromkeys(("ladder", "both", "forward"), 8)))) > 1
        )


def test_the_rate_of_each_batch_is_chosen_by_validation_not_by_probes():
    """The rate that does best on the probes has the worse validation loss: it must not be taken."""
    made = {}
    for size in batch.SIZES:
        for trial, loss in zip(batch.at_rates(size), (2.0, 1.0, 3.0), strict=True):
            value = {2.0: 1.0, 1.0: 0.5 if size == 1 else 0.25, 3.0: 0.0}[loss]
            made["a", 0, trial.name] = score([value] * 8, TRAINED, bounded_loss=[9.0, loss])
    found = batch.verdict(made).comparisons[0]
    assert found.means == (0.25, 0.5)


def test_the_smooth_rate_is_the_last_one_below_the_first_rough_one():
    """Four checks: one rise of three is 0.33, above 0.2. The third rate is rough, so the second is kept, not the fourth."""
    curves = [[4, 3, 2, 1], [4, 3, 2, 1.5], [4, 5, 2, 1], [4, 3, 2, 1], [4, 3, 2, 1]]
    made = {
        ("a", 0, trial.name): score([0.1 * i] * 3, val_loss=curve, bounded_loss=[5.0 - i] * 4)
        for i, (trial, curve) in enumerate(zip(smooth.LADDER, curves, strict=True))
    }
    assert smooth.roughness(curves[2]) == pytest.approx(1 / 3)
    assert smooth.verdict(made).comparisons[0].means == pytest.approx((0.4, 0.1))


def test_the_curse_and_the_upturn_are_told():
    made = {
        ("a", 0, directions.FORWARD.name): both(score([0.1] * 4, REVERSE), score([0.5] * 4)),
        ("a", 0, directions.BOTH.name): both(score([0.4] * 4, REVERSE), score([0.5] * 4)),
    }
    assert directions.verdict(made).notes[0] == "taught forward only: reverse 0.10, forward 0.50"
    made = {("a", 0, upturn.LONG.name): score([0.5] * 4, val_loss=[3, 2, 2.5])}
    made["a", 0, upturn.STOPPED.name] = score([0.25] * 4)
    assert upturn.verdict(made).notes[0].startswith("the validation loss turned up in 1 of 1 trainings")


def test_two_claims_share_a_trial_and_names_tell_trials_apart():
    every = [
        trial
        for name in results.CLAIMS
        for trial in results.importlib.import_module(f"claims.{name}").trials(
            base.Material("a", {"ladder": 1, "both": 1, "forward": 1})
        )
    ]
    assert len({trial.name for trial in every}) == len(set(every)) < len(every)
    assert Trial().words == ["batch_size=8", "lr=0.001", "epochs=6", "stopping.patience=null"]


def test_the_table_goes_between_the_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "results.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    row = {"title": "T", "sentence": "S", "earlier": "", "trials": 2, "finished": 1, "comparisons": [], "notes": ["n"]}
    results.write_table(page, {"decay": row})
    text = page.read_text()
    assert text.startswith(f"before\n{results.BEGIN}\n") and text.endswith(f"{results.END}\nafter\n")
    assert "| T | S | 1 of 2 | - |" in text and "old" not in text
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="markers"):
        results.write_table(page, {})


@pytest.mark.parametrize("state", [INTERRUPTED, None])
def test_half_a_trial_has_no_score(state, tmp_path, monkeypatch):
    """An interrupted training ends without an error; it must not count. One that fails is told, and is in no verdict."""

    def stopped(*words, **options):
        if state is None:
            raise UserError(Problem("the loss is not a number", "lr", 3e-3, "lower it"))
        return LearnResult(state, tmp_path)

    monkeypatch.setattr(results, "learn", stopped)
    document = Document("a", tmp_path / "a.md", tmp_path / "pairs.jsonl")
    job = results.Job(document, 0, decay.CONSTANT, tmp_path / "trial", (), 1.0)
    if state:
        with pytest.raises(SystemExit, match="goes on"):
            results.run(job, tmp_path, "model")
        assert not job.file.exists()
    else:
        results.run(job, tmp_path, "model")
        material = base.Material("a", {"mixed": 8})
        told = results.judged({"decay": decay}, [job], [material])["decay"]
        assert (told["finished"], told["measured"], told["sentence"]) == (0, False, "not measured")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_table_with_toys_and_nothing_is_run_twice(tmp_path, toy_model, monkeypatch):
    """Two documents, all claims, two steps a trial; one seed and few rates, which spares minutes."""
    monkeypatch.setattr(results, "SEEDS", (0,))
    monkeypatch.setattr(batch, "RATES", (1e-3,))
    monkeypatch.setattr(smooth, "LADDER", [Trial(), Trial(lr=3e-3)])
    (tmp_path / "a.md").write_text(f"# Towns\n\n{TEXT}\n")
    (tmp_path / "b.md").write_text(f"# More towns\n\n{TEXT}\n")
    lines = []
    for text, variants in (("a.md", 9), ("b.md", 6)):
        for fact, line in enumerate(TEXT.split("\n")):
            name, town = line.split()[0], line.split(" of ")[1].split(".")[0]
            for variant in range(variants):
                angle = "reverse" if variant == 3 else ("simple", "detailed", "scenario", "completion")[variant % 4]
                ask = f"Who was born in {town} ?" if variant == 3 else f"{'where ' * (variant + 1)}was {name} born ?"
                answer = name if variant == 3 else f"in {'the town of ' * (variant % 2)}{town}"
                lines.append(
                    {
                        "document": text,
                        "fact": fact,
                        "variant": variant,
                        "angle": angle,
                        "question": ask,
                        "answer": answer,
                    }
                )
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    texts = [Document(name, tmp_path / f"{name}.md", tmp_path / "pairs.jsonl") for name in ("a", "b")]
    page = tmp_path / "page.md"
    page.write_text(f"{results.BEGIN}\n{results.END}\n")
    quick = [word for word in QUICK if word.startswith(("adapter.", "trainer.", "stopping.checks"))]
    arguments = [
        "--out",
        str(tmp_path / "out"),
        "--model",
        str(toy_model),
        "--page",
        str(page),
        "--write",
        *quick,
        "budget=2",
        "split.at_least=2",
    ]
    table = results.main(arguments, texts)
    assert [*table] == [*results.CLAIMS]
    for name, each in table.items():
        assert each["finished"] == each["trials"] > 0, name
        assert each["documents"] == (["a"] if name == "rungs" else ["a", "b"]), name
        assert each["seeds"] == [0] and each["measured"], name
    assert page.read_text().count("\n| ") > 2 * len(results.CLAIMS)
    assert json.loads((tmp_path / "out/claims.json").read_text()).keys() == table.keys()

    monkeypatch.setattr(results, "run", lambda *_: pytest.fail("a finished trial was run again"))
    assert results.main(arguments, texts) == json.loads(json.dumps(table))
    assert results.main([*arguments, "--estimate"], texts) == {}
