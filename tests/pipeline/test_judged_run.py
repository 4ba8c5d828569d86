"""A run with a judge, from the command line to the page: a judge that dies ends no run, and the rest is asked for later."""

import json
from pathlib import Path

import pytest

from byheart import cli
from byheart.store import read_json
from byheart.teacher import sender
from sweep.toy import QUICK, TEXT
from teacher.chat_server import ChatServer, Say, answer, error


@pytest.mark.slow
def test_a_judge_that_dies_ends_no_run_and_is_asked_for_the_rest_later(tmp_path, monkeypatch, toy_model, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", dict.fromkeys(sender.FIRST_PAUSE_S, 0.01))
    Path("a.txt").write_text(TEXT + "\n")
    Path("model").symlink_to(toy_model)
    lines = [
        {"question": f"Where was {name} born?", "answers": [town]} for name, town in (("Ada", "Bern"), ("Mia", "Lyon"))
    ]
    Path("exam.jsonl").write_text("\n".join(map(json.dumps, lines)))
    dead = False

    def script(call) -> Say:
        fields = json.loads(call.said)
        verdict = "correct" if fields["given_answer"] in fields["right_answers"] else "incorrect"
        return (
            error("out of memory", 500) if dead and call.number > 5 else Say(answer(json.dumps({"verdict": verdict})))
        )

    judged = ["evaluation=[recall,judge]", "evaluation.judge.model=toy", "evaluation.judge.retries=0"]
    with ChatServer(script) as server:
        judged += [f"evaluation.judge.base_url={server.url}", "evaluation.judge.concurrency=1"]
        dead = True
        words = [*(word for word in QUICK if word != "evaluation=[recall]"), "questions=exam.jsonl", "epochs=1"]
        assert cli.main(["learn", *words, *judged, "hydra.run.dir=run"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        scores = read_json("run/scores.json")
        assert "contains" in scores["tuned"] and "judged_correct" not in scores["tuned"]
        assert "judge toy at" in shown and "failed" in shown and "out of memory" in Path("run/report.html").read_text()
        dead = False
        paid = {call.said for call in server.calls[:6]}
        sent = len(server.calls)
        assert cli.main(["evaluate", "run=run", *judged]) == 0
        assert paid.isdisjoint(call.said for call in server.calls[sent:])
    again = read_json("run/evaluations/again/scores.json")
    assert again["tuned"]["judged_correct"]["count"] == 2 and again["judge"]["trusted"]
    assert again["judge"]["bill"]["requests"] == len(server.calls) - sent
    assert "correct, by the judge" in capsys.readouterr().out


def test_what_is_wrong_with_the_judge_is_said_before_anything_is_started(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Path("a.txt").write_text(TEXT + "\n")
    words = ["documents=a.txt", "+evaluation=judge"]
    assert cli.main(["learn", *words]) == 2
    assert "evaluation.judge.model: must be set" in capsys.readouterr().err
    assert cli.main(["learn", *words, "evaluation.judge.model=x"]) == 2
    assert "evaluation.judge.api_key_env" in capsys.readouterr().err and not Path("outputs").exists()
    assert cli.main(["learn", *words, "evaluation.judge.model=gpt-5-mini", "estimate=true"]) == 0
    shown = capsys.readouterr().out
    assert "judge: " in shown and "cost: at most" in shown and "evaluation.judge.price_in" in shown
