"""Damaged files, odd input and refusals of the system: each is named, with exit code 2 and a way out that works."""

import errno
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from byheart import cli
from byheart.damage import explain, find_damage, way_out
from byheart.documents.load import load_documents
from byheart.errors import UserError
from byheart.evaluation.questions import load_questions
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.storage import open_storage
from byheart.teacher.response import LONGEST_S as WEEK
from byheart.teacher.response import retry_after
from sweep.toy import QUICK, furnished

EXAMPLES = b'{"id": "e", "question": "q?"}\n{"id": "f", "question": "a longer one?"}\n'
KINDS = {
    "empty": lambda content: b"",
    "halved": lambda content: content[: len(content) // 2],
    "junk": lambda content: content[: len(content) // 2] + b"\xff" + content[len(content) // 2 + 1 :],
}


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("data.pkl", b"x" * 400)
    return stream.getvalue()


def database(path: Path) -> Path:
    with sqlite3.connect(path) as made:
        made.execute("create table studies (name text)")
        made.executemany("insert into studies values (?)", [("x" * 3000,)] * 9)
    made.close()
    return path


SOUND = {
    "run.json": b'{"state": "finished"}',
    "examples.jsonl": EXAMPLES,
    "curve.csv": b"a,b,c,d\n1,2,3,4\n5,6,7,8\n",
    "multirun.yaml": b"hydra:\n  mode: {one: 1, two: [2, 3, 4]}\n",
    "checkpoint/step-1/training.pt": archive(),
}


@pytest.mark.parametrize("kind", [*KINDS, "folder"])
@pytest.mark.parametrize("name", SOUND)
def test_what_is_damaged_is_found_and_what_is_whole_is_not(name, kind, tmp_path):
    for each, content in SOUND.items():
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(content)
    database(tmp_path / "study.db")
    assert [*find_damage(tmp_path)] == []
    file = tmp_path / name
    if kind == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(KINDS[kind](SOUND[name]))
    if (name, kind) == ("examples.jsonl", "empty"):
        return  # a file without records, as rejected.jsonl may be
    (problem,) = find_damage(tmp_path)
    assert problem.where == str(file) and ("damaged" in problem.what or "a folder lies" in problem.what)
    assert problem.fix.startswith("remove it")
    (tmp_path / ".hydra").mkdir()
    assert explain(KeyError("x"), ["learn", f"resume={tmp_path}"])[0].where == str(file)
    assert explain(KeyError("x"), ["learn", "documents=a.txt"]) == []


def test_the_way_out_goes_on_with_what_the_file_belongs_to(tmp_path):
    for run in ("made", "learned", "sweep/3"):
        (tmp_path / run / ".hydra").mkdir(parents=True)
    (tmp_path / "learned/rows").mkdir()
    (tmp_path / "sweep/study.db").touch()
    (tmp_path / "sweep/3/scores.json").touch()
    ways = {name: way_out(tmp_path / name) for name in (
        "made/split.json", "learned/split.json", "learned/evaluations/again/run.json", "sweep/3/answers.jsonl",
        "sweep/best.json",
    )}  # fmt: skip
    assert [*ways.values()] == [
        f'remove it, then: byheart expand "resume={tmp_path / "made"}"',
        f'remove it, then: byheart learn "resume={tmp_path / "learned"}"',
        "remove it, then: give the same command again",
        f'remove it, then: byheart pick "{tmp_path / "sweep"}" trial=3',
        "remove it, then: give the same command again",
    ]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENAMETOOLONG, errno.EIO])
def test_what_the_system_refuses_is_no_bug(number, capsys, monkeypatch):
    def refuse(words):
        raise OSError(number, os.strerror(number), "/data/run.json")

    monkeypatch.setattr(cli, "_run", refuse)
    assert cli.main(["learn"]) == 2
    said = capsys.readouterr().err
    assert f"/data/run.json: the system refused: {os.strerror(number)}" in said and "then give the same" in said


@pytest.mark.parametrize("kind", [*KINDS, "folder"])
def test_a_damaged_study_is_named_with_the_file(kind, tmp_path):
    file = database(tmp_path / "study.db")
    (tmp_path / "0").mkdir()
    (tmp_path / "0/outcome.json").write_text("{}")
    if kind == "folder":
        file.unlink()
        file.mkdir()
    else:
        content = file.read_bytes()
        file.write_bytes(b"SQL!" + content[4:] if kind == "junk" else KINDS[kind](content))
    with pytest.raises(UserError) as caught:
        open_storage(SweepOptions(), tmp_path)
    (problem,) = caught.value.problems
    assert problem.where == str(file) and "is it running" not in str(problem)
    assert problem.fix.startswith(f"rename the folder {tmp_path}")


SPLIT = """
from byheart.data.split import Forms
from byheart.records import Chunk, Example, Fact
import json, dataclasses
facts = [Fact(f"f{i}", "d", "c", 9 * i, 9 * i + 9, f"fact {i}", 3) for i in range(30)]
asked = {"simple": "Who holds office {0} of the club this year?", "detailed": "Tell all of {1}, {2} and {3}."}
said = {"simple": "Number {0} is held by Ada", "detailed": "It is {1} and {4}"}
examples = [
    Example(f"{angle}{i}", *(words[angle].format(i // 2, i, i * 7919, i * 104729, i * 31) for words in (asked, said)),
            (f"f{i}",), angle, "forward", "rules", "c")
    for i in range(30) for angle in asked
]
split = Forms(share=0.9, at_least=9).split(examples, facts, [Chunk("c", "d", (), 0, 99, "text", 30)], {}, 1)
print(json.dumps(dataclasses.asdict(split)))
"""


def test_a_split_is_the_same_to_the_byte_in_each_process():
    """The order of a set of texts differs from process to process."""
    command = [sys.executable, "-c", SPLIT]
    one, other = (subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "12")
    assert one == other and len(json.loads(one)["refused"]) > 2


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("inf", None), ("nan", None), ("-5", 0), ("1e9", WEEK), ("9" * 400, None), ("soon", None), ("", None),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", WEEK)],
)  # fmt: skip
def test_a_wait_that_no_server_means_is_none(said, seconds):
    assert retry_after({"retry-after": said}) == seconds


@pytest.mark.parametrize("opening", ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<x-y>"])
def test_a_page_is_read_however_deep_it_is(opening, tmp_path):
    for depth in (300, 5000):
        (tmp_path / "deep.html").write_text(f"<html><body>{opening * depth}<p>The club opens at nine.</p>")
        (document,) = load_documents((str(tmp_path / "deep.html"),)).documents
        assert "The club opens at nine." in document.text


@pytest.mark.parametrize("page", ["<!-- only this -->", "<!-- one --><!-- two -->", "<!doctype html>", "<?php ?>"])
def test_a_page_without_text_is_the_users_to_fix(page, tmp_path):
    (tmp_path / "a.html").write_text(page)
    with pytest.raises(UserError, match="empty"):
        load_documents((str(tmp_path / "a.html"),))


def test_a_long_number_is_an_answer_and_no_place(tmp_path):
    file, long = tmp_path / "exam.jsonl", "7" * 5000
    file.write_text(f'{{"question": "Which?", "answers": [{long}, 3]}}')
    assert load_questions(str(file))[0].answers == (long, "3")
    for key in ("gold", "paragraph"):
        file.write_text(f'{{"question": "Which?", "options": ["a", "b"], "{key}": {long}}}')
        with pytest.raises(UserError, match=key):
            load_questions(str(file))


@pytest.mark.parametrize("command", ["check", "expand", "sweep"])
def test_a_name_is_at_most_what_a_file_system_takes(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The club opens at nine.")
    words = ["sweep", "batch_lr_epochs"] if command == "sweep" else [command]
    assert cli.main([*words, "documents=a.txt", f"name={'n' * 300}"]) == 2
    said = capsys.readouterr().err
    assert "so long a name" in said and "name=NAME" in said and len(said) < 500
    assert not Path("outputs").exists()


SCORED = ("adapter", "scores", "report", "answers.jsonl", "verbatim")  # what a stopped run does not have


@pytest.fixture(scope="module")
def made(tmp_path_factory, toy_model):
    """A run and a sweep of a toy model."""
    here = furnished(tmp_path_factory.mktemp("damage"), toy_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        words = ["questions=exam.jsonl", "epochs=2", "hydra.run.dir=run"]
        assert cli.main(["learn", *QUICK, *words]) == 0
        assert cli.main(["sweep", "batch_lr_epochs", *QUICK, *GRID, "hydra.sweep.dir=study"]) == 0
    return here


GRID = ("epochs=1", "batch_size=8", "lr=3e-3,1e-3", "hydra.launcher.processes=1")


def damaged(file: Path, kind: str) -> None:
    content = file.read_bytes()
    if kind == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes(KINDS[kind](content))


def follow(said: str, folder: Path) -> list[str]:
    """Removes what the message says is to be removed. Gives the words of the command that it tells, if there is one."""
    found = re.search(r"remove the folder (\S+?)[;,]", said) or re.search(rf"({re.escape(str(folder))}[^\s:]*)", said)
    assert found, said
    if "rename the folder" in said:
        folder.rename(folder.with_name("aside"))
    elif (place := Path(found[1])).is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    line = re.search(r"byheart ((?:learn|expand|pick) .*)", said.partition("\n")[2])
    return shlex.split(line[1]) if line and "NAME" not in line[1] else []


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "folder"])
@pytest.mark.parametrize("command", ["resume", "stopped", "evaluate", "ask", "pick", "sweep"])
def test_every_file_of_a_run_and_of_a_sweep_may_be_damaged(command, kind, made, tmp_path, monkeypatch, capsys):
    """No command ends with a bug, and where it is refused, what the message says works when it is followed."""
    monkeypatch.chdir(made)
    source = made / ("study" if command in ("pick", "sweep") else "run")
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source)
        if not file.is_file() or file.suffix == ".lock" or (command == "stopped" and str(name).startswith(SCORED)):
            continue
        folder = tmp_path / "copy"
        for each in (folder, folder.with_name("aside")):
            shutil.rmtree(each, ignore_errors=True)
        shutil.copytree(source, folder)
        if command == "stopped":
            for lost in folder.iterdir():
                if lost.name.startswith(SCORED):
                    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        damaged(folder / name, kind)
        words = {
            "resume": ["learn", f"resume={folder}"],
            "stopped": ["learn", f"resume={folder}"],
            "evaluate": ["evaluate", f"run={folder}"],
            "ask": ["ask", str(folder), "Where was Ada born?", "--sources"],
            "pick": ["pick", str(folder)],
            "sweep": ["sweep", "batch_lr_epochs", *QUICK, *GRID, f"hydra.sweep.dir={folder}"],
        }[command]
        code = cli.main(words)
        said = capsys.readouterr().err
        assert code in (0, 2), f"{name}: {said}"
        if code == 0:
            continue
        assert str(folder) in said, f"{name}: {said}"
        told = follow(said, folder)
        if name.name == "config.yaml":  # nothing makes it again: the line starts a new run
            told = told and [*told, f"hydra.run.dir={tmp_path / 'anew'}"]
            assert not told or cli.main(told) == 0, f"{name}: {said}"
            shutil.rmtree(tmp_path / "anew", ignore_errors=True)
            continue
        if told and told != words:
            assert cli.main(told) == 0, f"{name}: {said}"
        again = capsys.readouterr().err
        assert cli.main(words) == 0, f"{name}: {said} {again} {capsys.readouterr().err}"
