"""What a run advises next can be done: reasons that the numbers bear, and lines that a shell and byheart can read."""

import io
import shlex
import sys
from pathlib import Path

import pytest

from byheart.config.compose import read_request
from byheart.dispatch import check
from byheart.report import next_steps
from byheart.report.learning import Learning
from byheart.report.next_steps import Started, how_to_find_byheart
from byheart.report.tables import forgetting
from byheart.report.terminal import Terminal
from byheart.results import EvaluateResult, LearnResult
from byheart.store import write_json, write_jsonl
from sweep.toy import TEXT


def training(state="finished", improving=False, held_out=9, kept=3.0, more="epochs=60"):
    return Learning(kept, held_out, (), (1, 1, 1), (0, 0), (0, 0), state, improving, "train_recall", more)


def scores(ratio, low=None):
    entry = {"value": ratio, "count": 12, "low": ratio - 0.01 if low is None else low, "high": ratio + 0.1}
    return {"tuned": {"perplexity_ratio": entry}}


def rows(right, asked=20):
    return [
        {"id": str(i), "source": "questions", "options": [], "question": "q", "tuned": "a", "tuned_right": i < right, "untuned_right": False}
        for i in range(asked)
    ]  # fmt: skip


def commands(trained, found=None, answers=(), overrides=("documents=my text.md", "epochs=30"), **about):
    started = Started(**{"folder": Path("out/x y"), "overrides": overrides, "lr": 1e-3, "replay": 0.2, "share": 0.25,
        "questions": False, "teacher": False} | about)  # fmt: skip
    return [shlex.split(step.command) for step in started.steps(trained, found or {}, answers)]


LAST = ["byheart", "evaluate", "run=out/x y", "questions=other.jsonl"]


def test_a_run_that_still_improved_is_advised_to_train_longer_with_its_own_settings():
    assert commands(training(improving=True)) == [["byheart", "learn", "documents=my text.md", "epochs=60"], LAST]
    assert commands(training("upturn", improving=True)) == [LAST]
    assert commands(training("budget", kept=0.2, more="budget=40"))[0][-2:] == ["epochs=30", "budget=40"]


def test_a_run_that_can_go_on_is_advised_to_and_one_that_cannot_starts_anew_in_a_folder_of_its_own():
    assert commands(training(improving=True, more="epochs=60 budget=30m"), goes_on=True)[0] == [
        "byheart", "learn", "resume=out/x y", "epochs=60", "budget=30m"]  # fmt: skip
    assert commands(training(improving=True), goes_on=True, overrides=None)[0][2:] == ["resume=out/x y", "epochs=60"]
    given = ("documents=a.txt", "epochs=30", "hydra.run.dir=out/x y")
    assert commands(training(improving=True), overrides=given)[0] == [
        "byheart",
        "learn",
        "documents=a.txt",
        "epochs=60",
    ]
    assert commands(training("upturn", improving=True), goes_on=True) == [LAST]


def test_a_run_that_was_resumed_elsewhere_names_paths_as_they_are_typed_there(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    token = next_steps.TYPED_IN.set(tmp_path)
    try:
        resumed = commands(training(improving=True), folder=tmp_path / "work/out", goes_on=True)[0]
        afresh = commands(training(improving=True), folder=tmp_path / "work/out", overrides=("documents=a.txt",))[0]
    finally:
        next_steps.TYPED_IN.reset(token)
    assert resumed == ["byheart", "learn", "resume=work/out", "epochs=60"]
    assert afresh == ["cd", str(tmp_path / "work"), "&&", "byheart", "learn", "documents=a.txt", "epochs=60"]


def test_a_run_whose_overrides_do_not_make_its_config_advises_no_training():
    assert commands(training(improving=True), overrides=None) == [LAST]


@pytest.mark.parametrize(("ratio", "word"), [(1.04, "none"), (1.2, "slight"), (1.7, "noticeable"), (9.0, "severe")])
def test_forgetting_has_a_verdict(ratio, word):
    assert forgetting(scores(ratio))[0].startswith(word)
    assert forgetting(scores(ratio, low=0.9))[0].startswith("none"), "its interval holds 1"
    assert forgetting({}) is None
    advised = commands(training(), scores(ratio))
    assert ("rows.replay=0.4" in advised[0]) is (word in ("noticeable", "severe"))
    assert ("lr=0.00033" in advised[0]) is (word == "severe")
    assert commands(training(), scores(9.0), replay=0.5)[0][-1] == "lr=0.00033", "there is enough replay already"


def test_an_unwatched_run_is_advised_what_can_be_held_out():
    assert commands(training(held_out=0), share=0.0)[0][-2:] == ["split.share=0.25", "split.at_least=50"]
    assert commands(training(held_out=0), questions=True)[0][-1] == "dev=0.3"
    assert commands(training(held_out=0)) == [LAST], "nothing that could be set would hold out more"


def test_a_teacher_is_advised_where_most_is_wrong_and_none_wrote():
    assert "teacher=openai" in commands(training(), answers=rows(9))[0]
    chosen = ("documents=a.txt", "expansion=file", "expansion.file.path=p.jsonl")
    kept = commands(training(), answers=rows(9), overrides=chosen)[0]
    assert "expansion=[file,ladder]" in kept and "expansion.file.path=p.jsonl" in kept, "options of a member need it"
    for answers, about in ((rows(10), {}), (rows(0, 9), {}), (rows(0), {"teacher": True})):
        assert commands(training(), answers=answers, **about) == [LAST]


def test_the_lines_are_valid_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my text.md").write_text(TEXT)
    lines = commands(
        training(improving=True, held_out=0), scores(9.0), rows(1), share=0.0, overrides=("documents='my text.md'",)
    )
    assert len(lines) == 5
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    for line in lines[:-1]:
        assert check(read_request(line[2:])).run_configs


def test_the_last_lines_can_be_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs/a"
    write_jsonl(folder / "answers.jsonl", rows(4))
    write_json(folder / "run.json", {"next_steps": [{"why": "Why:", "command": "byheart learn 'a b.md' " + "x" * 90}]})

    def said(result):
        log = io.StringIO()
        Terminal(log).result(result)
        return log.getvalue().rstrip().splitlines()

    assert said(LearnResult("finished", folder))[-1] == "    byheart learn 'a b.md' " + "x" * 90
    assert said(LearnResult("interrupted", folder))[-3] == "    byheart learn resume=outputs/a"
    write_jsonl(folder / "evaluations/b/answers.jsonl", rows(4))
    assert said(EvaluateResult(folder / "evaluations/b", {}))[-3].endswith("run=outputs/a questions=other.jsonl")


def test_where_the_shell_does_not_find_byheart_it_is_told_how(tmp_path, monkeypatch):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(next_steps.shutil, "which", lambda name: None)
    assert how_to_find_byheart() == "source .venv/bin/activate"
    monkeypatch.setattr(next_steps.shutil, "which", lambda name: "/usr/bin/byheart")
    assert how_to_find_byheart() is None
