"""A run's model says what it said when it was scored; what is typed is understood; what is missing is told."""

import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from byheart import ask, cli
from byheart.model.chat import Stops
from byheart.store import read_json, read_records
from byheart.use import asking, command
from byheart.use.asking import OPEN_BOOK, TUNED, UNTUNED, RunModel, _Stream, open_run
from byheart.use.find_run import find_run, trained_run
from byheart.use.screen import Writer

QUESTION, ANSWER = "Otto was born in the town of what ?", "in the town of Graz"


def turn(question):
    return [{"role": "user", "content": question}]


@pytest.mark.parametrize("name", ["lora", "full", "plain"])
def test_it_says_what_it_said_when_it_was_scored(here, monkeypatch, name):
    monkeypatch.setattr(asking, "MOST_TOKENS", 24)  # the untuned toy would go on and on
    model = open_run(trained_run(name))
    rows = read_records(here / f"outputs/{name}/1/answers.jsonl")
    answers = [row for row in rows if row["source"] != "trained"]
    for row in answers:
        for which in (TUNED, UNTUNED, OPEN_BOOK):
            said = model.say(which, turn(row["question"]))
            assert said.text == row[which] if said.tokens <= 8 else said.text.startswith(row[which])  # 8 were scored
    assert len(answers) == 6
    if name != "plain":
        assert sum(row["tuned_metrics"]["contains"] for row in answers) >= 3, "the toy has learned something to compare"


def test_an_answer_comes_in_pieces_that_are_never_taken_back(here):
    pieces = []
    said = open_run(trained_run("lora")).say(TUNED, turn(QUESTION), pieces.append)
    assert (said.text, "".join(pieces)) == (ANSWER, ANSWER) and len(pieces) == 5


def test_nothing_is_shown_that_becomes_an_end_or_half_a_character():
    """An end in words, as base models have it, and a letter of several tokens."""

    class Chat:
        """What it reads after each token."""

        def __init__(self, *texts):
            self.texts = texts

        def read(self, tokens, stops):
            text = self.texts[len(tokens) - 1]
            kept = text.partition(stops.texts[0])[0]
            return kept.strip(), kept != text

    def streamed(*texts):
        pieces = []
        stream = _Stream(Chat(*texts), Stops(frozenset(), ("\nQuestion:",)), pieces.append)
        for token in ([7, 7], *([each] for each in range(len(texts)))):  # the prompt first
            stream.put(torch.tensor([token]))
        return pieces, stream.end_of_answer()

    whole = ("Gra", "Graz\n", "Graz\nQues", "Graz\nQuestion:", "Graz\nQuestion: more")
    assert streamed(*whole) == (["Gra", "z"], ("Graz", True))
    assert streamed("na", "na\ufffd", "naï", "naïf") == (["na", "ï", "f"], ("naïf", False))
    assert streamed("a", "a\n", "a\nQ", "a\nQu", "a\nQuite") == (["a", "\nQuite"], ("a\nQuite", False))


def test_the_command_prints_the_answer_and_nothing_else(here, capsys):
    assert cli.main(["ask", "lora", QUESTION]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (f"{ANSWER}\n", "")


@pytest.mark.parametrize("words", [["--compare", "--sources"], ["compare=true", "sources=true"]])
def test_compared_it_says_which_model_said_what_and_where_it_stands(here, monkeypatch, capsys, words):
    monkeypatch.setattr(asking, "MOST_TOKENS", 24)
    assert cli.main(["ask", words[0], "outputs/lora/1", *QUESTION.split(), words[1]]) == 0
    parts = capsys.readouterr().out.split("\n\n")
    assert parts[0] == f"tuned\n{ANSWER}"
    assert [part.partition("\n")[0] for part in parts] == ["tuned", "untuned", "open book", "source"]
    assert parts[3].splitlines() == ["source", "A", "“Otto was born in 1907 in the town of Graz.”", "5 of 5 different words of the answer stand there"]  # fmt: skip


def test_from_python_the_same(here):
    reply = ask("lora", QUESTION, sources=True)
    assert (reply.answer, reply.untuned, reply.open_book) == (ANSWER, None, None)
    assert reply.source.text.startswith("Otto was born") and reply.source.place == "A"


def talk(lines, monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    assert cli.main(["chat", *words]) == 0
    return capsys.readouterr()


def test_without_a_terminal_a_chat_answers_one_question_a_line(here, monkeypatch, capsys):
    asked = []
    say = RunModel.say
    monkeypatch.setattr(
        RunModel, "say", lambda self, name, turns, *more: asked.append(turns) or say(self, name, turns, *more)
    )
    shown = talk(
        [QUESTION, "", "/clear", QUESTION, "/nonsense", QUESTION, "/exit", "never"], monkeypatch, capsys, "full"
    )
    assert shown.out.splitlines()[:2] == [ANSWER, ANSWER] and "there is no command /nonsense" in shown.err
    assert [len(turns) for turns in asked] == [1, 1, 3], "the third remembers the second, which began anew"
    assert asked[2][:2] == [*turn(QUESTION), {"role": "assistant", "content": ANSWER}]
    assert "source" in talk(["/sources", QUESTION], monkeypatch, capsys, "full").out


def test_a_conversation_beyond_the_models_length_loses_its_oldest_turns_and_says_so(here, monkeypatch, capsys):
    model = open_run(trained_run("full"))
    long = [*turn(" ".join(["Otto"] * 120)), {"role": "assistant", "content": "Graz"}] * 3 + turn(QUESTION)
    said = model.say(TUNED, long)
    assert said.left_out == 4 and not said.cut
    assert said.text == model.say(TUNED, long[4:]).text
    alone = model.say(TUNED, turn(" ".join(["Otto"] * 600)))
    assert alone.cut and not alone.left_out
    shown = talk([" ".join(["Otto"] * 240), QUESTION], monkeypatch, capsys, "full")
    assert "its oldest question and what was answered are left out" in " ".join(shown.err.split())


def test_ctrl_c_ends_with_130_and_no_traceback(here, monkeypatch, capsys):
    def interrupted(self, name, turns, on_text):
        on_text("in the")
        raise KeyboardInterrupt

    monkeypatch.setattr(RunModel, "say", interrupted)
    assert cli.main(["ask", "lora", QUESTION]) == 130
    assert capsys.readouterr() == ("in the\n", "")


@pytest.mark.slow
def test_ctrl_c_in_a_process_of_its_own(here):
    words = [sys.executable, "-m", "byheart.cli", "chat", "lora"]
    with subprocess.Popen(words, stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        process.stdin.write(QUESTION + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{ANSWER}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130 and process.stderr.read() == ""


def test_a_run_is_found_by_its_folder_its_name_and_as_the_latest(tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    first, second = (tmp_path / "outputs/lora/1", tmp_path / "outputs/lora/2")
    for number, folder in enumerate((first, second)):
        shutil.copytree(trained / "outputs/lora/1", folder)
        (folder / "run.json").touch()
        Path(folder, "run.json").write_text(json.dumps({"state": "finished", "number": number}))
    study = tmp_path / "outputs/sweeps/rates"
    study.mkdir(parents=True)
    (study / "study.db").touch()
    assert [find_run(name) for name in ("lora", "latest", "outputs/lora", str(second), "outputs/lora/2/adapter")] == [
        second
    ] * 5
    shutil.rmtree(second / "adapter")  # it is being trained
    assert find_run("latest") == first and find_run(str(second)) == second
    with pytest.raises(Exception, match=r"no best trial yet(.|\n)*byheart pick"):
        find_run("rates")
    shutil.copytree(first, study / "3")
    (study / "best.json").write_text(json.dumps({"trial": 3, "folder": "/elsewhere/rates/3"}))
    assert find_run("rates") == find_run("outputs/sweeps/rates") == study / "3"


FAULTS = {  # what is done to a copy of a run -> what is said
    "no adapter": (lambda run: shutil.rmtree(run / "adapter"), "nothing was trained"),
    "running": (lambda run: (shutil.rmtree(run / "adapter"), state(run, "running")), "still running"),
    "stopped": (lambda run: (shutil.rmtree(run / "adapter"), state(run, "interrupted")), "byheart learn \"resume="),
    "failed": (lambda run: (shutil.rmtree(run / "adapter"), state(run, "failed")), "it failed (memory)"),
    "damaged": (lambda run: cut(run / "adapter/adapter_model.safetensors"), "adapter_model.safetensors"),
    "no base": (lambda run: edit(run, "path: model", "path: nowhere/at/all"), "there is no such model folder"),
    "no config": (lambda run: (run / ".hydra/config.yaml").unlink(), "this folder contains no run"),
    "no texts": (lambda run: (run / "facts.jsonl").unlink(), "the texts of this run are not in its folder"),
}  # fmt: skip


def state(run, value):
    (run / "run.json").write_text(json.dumps({"state": value, "error": "memory"}))


def cut(file):
    file.write_bytes(file.read_bytes()[:1000])


def edit(run, old, new):
    file = run / ".hydra/config.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_is_said_with_what_to_do(trained, tmp_path, capsys, fault):
    break_it, said = FAULTS[fault]
    shutil.copytree(trained / "outputs/lora/1", tmp_path / "run")
    break_it(tmp_path / "run")
    assert cli.main(["ask", str(tmp_path / "run"), QUESTION, "--sources"]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert said in shown and "problem to fix" in shown


def test_the_weights_so_far_of_a_stopped_training_are_asked_with_a_note(trained, tmp_path, capsys):
    shutil.copytree(trained / "outputs/lora/1", tmp_path / "run")
    (tmp_path / "run/adapter/byheart.json").unlink()
    assert cli.main(["ask", str(tmp_path / "run"), QUESTION]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{ANSWER}\n" and "weights so far" in shown.err


TYPED = {
    "": "which run?",
    "'Where was Ada born ?'": 'byheart ask latest "Where was Ada born ?"',
    "lora": "which question?",
    "lorra x": "did you mean lora",
    "lora --comapre x": "did you mean --compare?",
    "lora compare=perhaps x": "must be true or false",
}


@pytest.mark.parametrize("line", TYPED)
def test_a_line_that_cannot_be_understood_is_answered_with_the_right_one(here, monkeypatch, capsys, line):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert cli.main(["ask", *shlex.split(line)]) == 2
    assert TYPED[line] in capsys.readouterr().err


def test_words_of_a_question_are_no_settings():
    asked = command.read_words("ask", ["latest", "Is", "x=2", "?", "--", "--compare"])
    assert (asked.run, asked.question, asked.switches) == ("latest", "Is x=2 ? --compare", set())


def test_a_run_ends_with_the_line_that_asks_a_question_which_it_learned(here, capsys):
    *_, last = read_json("outputs/lora/1/run.json")["next_steps"]
    words = shlex.split(last["command"])
    assert words[:3] == ["byheart", "ask", "outputs/lora/1"]
    row = next(row for row in read_records("outputs/lora/1/answers.jsonl") if row["question"] == words[3])
    assert row["tuned_right"] and not row["untuned_right"]
    assert cli.main(words[1:]) == 0 and capsys.readouterr().out == f"{row['tuned']}\n"


def test_asking_imports_no_more_than_it_needs():
    heavy = "torch transformers peft lightning spacy datasets rich jinja2 optuna wandb openai pysbd".split()
    code = f"import sys, byheart.use.command, byheart.use.asking; print(*{{*{heavy}}} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_a_word_that_reaches_the_edge_begins_the_next_line(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "12")
    write = Writer()
    for piece in ("the ", "town ", "of Gr", "az is", " old"):
        write(piece)
    assert shown(sys.stdout.getvalue()) == ["the town of", "Graz is old"]


def shown(text):
    """What stands on the screen after a text with cursor movements."""
    lines = [""]
    for part in text.split("\033[K\n"):
        for line in part.split("\n"):
            lines[-1] += line
            lines.append("")
        lines.pop()
        if part.endswith("D"):
            text_of, _, count = lines[-1].rpartition("\033[")
            lines[-1] = text_of[: len(text_of) - int(count[:-1])]
            lines.append("")
    return [line.rstrip() for line in lines if line.strip()]
