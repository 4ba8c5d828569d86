"""`rounds=N`: facts that are not recalled are asked in further ways; what is held out is never trained; a killed run ends alike."""

import csv
import json
from pathlib import Path

import pytest

from byheart import cli, learn
from byheart.data.contamination import ContaminationFinder
from byheart.errors import UserError
from byheart.pipeline.prepare_data import read_prepared_data
from byheart.pipeline.rounds.recalled import FURTHER, TRAINED, VALIDATION, evidence_of
from byheart.progress import Checked, StageBegan, StageEnded
from byheart.records import Example
from byheart.store import read_json, read_jsonl
from expansion.scripted import well
from sweep.toy import QUICK, furnished
from teacher.chat_server import ChatServer, Say, answer

OWN = ("adapter", "split", "expansion", "stopping.checks")
WORDS = [*(word for word in QUICK if not word.startswith(OWN)),
         "questions=exam.jsonl", "adapter=full", "split.at_least=10", "lr=5e-3", "batch_size=4", "epochs=2", "rounds=2",
         "stopping.checks_per_epoch=1", "expansion.rules.max_examples=60"]  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory, toy_model):
    """A finished run of two rounds, which no test changes, and the events that it sent."""
    here = furnished(tmp_path_factory.mktemp("rounds"), toy_model)
    events = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        learn(*WORDS, "hydra.run.dir=run", progress=events.append)
    return here, events


@pytest.fixture
def run(room, monkeypatch):
    monkeypatch.chdir(room[0])
    return Path("run")


def trained_later(run, number):
    return read_jsonl(run / f"rounds/{number}/examples.jsonl", Example)


def test_weak_facts_get_more_and_others_do_not(run):
    told, ledger = read_json(run / "run.json")["rounds"], read_json(run / "ledger.json")["rounds"]
    first, second = told["each"][:2]
    assert first["asked_again"] == 0 and second["asked_again"] == first["not_recalled"] > 0
    found = read_json(run / "rounds/1/recall.json")["facts"]
    weak = {each["fact"] for each in found if each["said"] < each["asked"]}
    later = trained_later(run, 2)
    assert {fact for example in later for fact in example.facts} <= weak
    assert second["new"] == len(later) > 0 and second["rows"] == first["rows"] + len(later)
    for fact, own in ledger.items():
        more = sum(fact in example.facts for example in later)
        rows = [round(each["exposures"] / told["each"][each["round"] - 1]["epochs_run"]) for each in own[:2]]
        assert rows[1] - rows[0] == more, "exposures are rows times epochs, by round"


def test_what_is_held_out_is_never_trained_nor_anything_like_it(run):
    data = read_prepared_data(run)
    held = data.examples_of((*data.split.validation, *data.split.test, *data.split.untaught))
    later = trained_later(run, 2)
    spare = read_jsonl(run / "spare.jsonl", Example)
    assert later and held
    assert not {e.id for e in later} & {e.id for e in data.examples}
    assert not {e.form for e in later} & {e.form for e in held}
    assert not ContaminationFinder(later).reasons(held)
    assert {e.form for e in spare} & {e.form for e in held}, "the rules did have some that had to be left out"


def test_evidence_leaves_the_test_half_alone(run):
    data = read_prepared_data(run)
    train, spare = data.examples_of(data.split.train), read_jsonl(run / "spare.jsonl", Example)
    found = evidence_of(data, [], train)
    kinds = {fact: kind for fact, (kind, _) in found.items()}
    validated = {fact for e in data.examples_of(data.split.validation) for fact in e.facts}
    assert {kinds[fact] for fact in validated} == {VALIDATION}
    assert set(kinds.values()) == {VALIDATION, TRAINED}
    assert FURTHER in {kind for kind, _ in evidence_of(data, spare, train).values()}
    assert not {e.id for _, own in found.values() for e in own} & set(data.split.test)


def test_the_best_round_is_kept_and_all_are_told(run, room):
    record = read_json(run / "run.json")
    told, each = record["rounds"], record["rounds"]["each"]
    assert (told["kept"], told["why_ended"]) == (2, "all rounds are over")
    assert each[0]["recall"] < each[1]["recall"]
    with (run / "curve.csv").open() as file:
        steps = [int(point["step"]) for point in csv.DictReader(file)]
    assert steps == sorted(set(steps)) and steps[-1] == record["training"]["steps"] == sum(one["steps"] for one in each)
    stages = [event for event in room[1] if isinstance(event, StageBegan)]
    second = next(event.title for event in stages if event.title.startswith("Round 2"))
    assert second == f"Round 2 of 2 · {each[1]['asked_again']} facts asked again, {each[1]['new']} new examples"
    assert any(
        line.startswith(f"Recall of {told['validated']} held-out wordings by round: 1: ")
        for line in record["learning"]["lines"]
    )
    assert "By round" in (run / "report.html").read_text() and "round 2: " in (run / "ledger.html").read_text()


class Killed(BaseException):
    pass


def inside(event):
    return isinstance(event, Checked) and event.point.epoch == 3


def between(event):
    return isinstance(event, StageEnded) and event.name == "further_examples"


@pytest.mark.parametrize("when", [inside, pytest.param(between, marks=pytest.mark.slow)])
def test_killed_it_goes_on_to_the_same_end(run, when):
    def die(event):
        if when(event):
            raise Killed

    folder = Path(when.__name__)
    with pytest.raises(Killed):
        learn(*WORDS, f"hydra.run.dir={folder}", progress=die)
    assert (folder / "adapter/model.safetensors").is_file(), "the best so far"
    learn(resume=folder)
    for name in ("adapter/model.safetensors", "scores.json", "answers.jsonl", "rounds/2/examples.jsonl", "ledger.json"):
        assert (folder / name).read_bytes() == (run / name).read_bytes(), name
    keys = ("step", "epoch", "rows_seen", "train_loss", "val_loss", "recall")
    curves = [
        [[point[key] for key in keys] for point in csv.DictReader((each / "curve.csv").open())]
        for each in (run, folder)
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize(
    ("more", "where", "fix"),
    [
        (["split.share=0"], "split.share", "split.share=0.25, or rounds=1"),
        (["schedule=cosine"], "schedule", "schedule=constant, or rounds=1"),
        (["retrain=constant"], "retrain", "retrain=none, or rounds=1"),
        (["rounds=0"], "rounds", ""),
    ],
)
def test_what_does_not_go_with_rounds_is_refused_at_once(run, more, where, fix):
    given = {word.partition("=")[0] for word in more}
    with pytest.raises(UserError) as error:
        learn(*(word for word in WORDS if word.partition("=")[0] not in given), *more)
    assert (error.value.problems[0].where, error.value.problems[0].fix) == (where, fix) or where == "rounds"


def test_a_finished_run_in_rounds_is_not_trained_on(run):
    with pytest.raises(UserError, match="a run in rounds cannot be trained on"):
        learn(resume=run, epochs=4)


def test_pairs_of_a_file_are_shown_more_often_and_a_round_without_a_gain_is_the_last(run):
    lines = [
        {"question": f"{asked} {name}?", "answer": town, "fact": name, "angle": angle}
        for name, town in (("Ada", "Bern"), ("Otto", "Graz"), ("Mia", "Lyon"))
        for asked, angle in (
            ("Where was born", "simple"),
            ("Which town is that of", "detailed"),
            ("Town of", "scenario"),
        )
    ]
    Path("pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = [word for word in WORDS if "rules" not in word]
    words += ["expansion=file", "expansion.file.path=pairs.jsonl", "rounds=3", "split.share=0.9", "epochs=1"]
    given = [
        word
        for i, word in enumerate(words)
        if word.partition("=")[0] not in {w.partition("=")[0] for w in words[i + 1 :]}
    ]
    learn(*given, "hydra.run.dir=pairs")
    told = read_json("pairs/run.json")["rounds"]
    first, second = told["each"]
    assert (told["kept"], told["why_ended"]) == (1, "recall of held-out wordings rose no more")
    assert second["new"] == 0 and second["repeated"] == second["asked_again"] > 0
    assert second["rows"] > first["rows"]


@pytest.mark.parametrize("rounds", ["3", "1,3"])
def test_a_sweep_refuses_rounds(run, rounds, capsys):
    assert cli.main(["sweep", "lr_ladder", "documents=a.txt", "model.path=model", f"rounds={rounds}"]) == 2
    assert "then train what was chosen with `byheart learn` and rounds=3" in capsys.readouterr().err


@pytest.mark.slow
def test_a_teacher_is_asked_again_on_weak_facts_and_paid_once(run, monkeypatch, tmp_path):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path))
    monkeypatch.setenv("MY_KEY", "none")
    Path("club.md").write_text(f"# Club\n\n{Path('a.txt').read_text()}")
    asked = []

    def say(call):
        asked.append(call.said)
        return Say(answer(well(call.said, call.body["temperature"])))

    def die(event):
        if isinstance(event, Checked) and event.point.epoch == 2:
            raise Killed

    with ChatServer(say) as server:
        words = [word for word in WORDS if not word.startswith(("documents", "expansion", "epochs"))]
        words += [
            "documents=club.md",
            "expansion=[rules,ladder]",
            "expansion.ladder.rungs=3",
            "teacher=openai",
            "epochs=1",
        ]
        words += ["teacher.model=toy", f"teacher.base_url={server.url}", "teacher.api_key_env=MY_KEY"]
        estimate = learn(*words, "estimate=true", "hydra.run.dir=estimated").estimate
        with pytest.raises(Killed):
            learn(*words, "hydra.run.dir=taught", progress=die)
        before = len(asked)
        learn(resume="taught")
    assert len(asked) == before
    first, later = (estimate.asking[name].requests for name in ("ladder", "ladder, further rounds at most"))
    assert first < before <= first + later
    assert {"rules", "ladder"} == {example.expansion for example in trained_later(Path("taught"), 2)}
