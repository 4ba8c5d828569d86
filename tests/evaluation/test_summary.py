import json
import subprocess
import sys
from dataclasses import replace

import pytest

from byheart.evaluation.base import combine
from byheart.evaluation.choice import Choice
from byheart.evaluation.forgetting import Forgetting
from byheart.evaluation.recall import Recall
from byheart.evaluation.summary import answer_rows, headline, headline_of, right, summarise
from byheart.records import Answer, Probe
from contracts.evaluation_contract import PROBES, ToyRecaller

MINE = [replace(probe, document="d", tags={"half": "AB"[i % 2]}) for i, probe in enumerate(PROBES)]
MADE = [Probe(f"g{i}", f"Fill gap {i}.", (f"w{i}",), angle="blank", source="generated", group="f") for i in range(3)]


def score(model, probes):
    return combine(*(each.score(model, probes) for each in (Recall(), Choice(), Forgetting())))


@pytest.fixture
def conditions():
    probes = MINE + MADE
    return {"untuned": score(ToyRecaller(), probes), "tuned": score(ToyRecaller([*PROBES[:3], *MADE]), probes)}


def test_the_users_questions_lead_and_generated_probes_stand_apart(conditions):
    scores = summarise(MINE + MADE, conditions, {probe.id: "lexical" for probe in MINE + MADE})
    assert scores["probes"] == "questions"
    assert scores["tuned"]["contains"]["count"] == len(MINE)
    assert scores["tuned"]["contains"]["value"] == pytest.approx(3 / 5)
    assert scores["generated"]["tuned"]["contains"] | {"low": 0, "high": 0} == {
        "value": 1,
        "count": 3,
        "low": 0,
        "high": 0,
    }
    assert scores["halves"].keys() == {"A", "B"}
    assert sum(scores["halves"][half]["tuned"]["contains"]["count"] for half in "AB") == len(MINE)
    assert scores["by_angle"].keys() == {"blank"}
    assert scores["by_document"]["d"]["paired"] == scores["paired"]
    assert scores["open_book_how"] == {"lexical": 5}
    assert "perplexity_ratio" in scores["tuned"]
    assert "perplexity_ratio" not in scores["untuned"]
    json.dumps(scores, allow_nan=False)


def test_where_some_have_options_each_is_right_by_its_own_rule(conditions):
    """The figure at the top of the page is the share of the probes that its table shows as right."""
    scores = summarise(MINE + MADE, conditions)
    rows = [row for row in answer_rows(MINE, conditions) if row["tuned_right"] is not None]
    assert scores["headline"] == "right" and scores["tuned"]["right"]["count"] == len(rows) == len(MINE)
    assert scores["tuned"]["right"]["value"] == pytest.approx(sum(row["tuned_right"] for row in rows) / len(rows))
    assert "right" in scores["paired"] and "right" in scores["by_document"]["d"]["tuned"]


def test_generated_probes_lead_where_there_are_no_others(conditions):
    scores = summarise(MADE, conditions)
    assert scores["probes"] == "generated"
    assert scores["tuned"]["contains"]["value"] == 1
    assert "generated" not in scores


def test_paired_is_tuned_minus_untuned(conditions):
    scores = summarise(MINE, conditions)
    for metric, value in scores["paired"].items():
        difference = scores["tuned"][metric]["value"] - scores["untuned"][metric]["value"]
        assert value["value"] == pytest.approx(difference)
        assert value["low"] <= value["value"] <= value["high"]


def test_no_probe_at_all_is_no_crash():
    alone = {"untuned": Forgetting().score(ToyRecaller()), "tuned": Forgetting().score(ToyRecaller())}
    scores = summarise([], alone)
    assert scores["tuned"].keys() >= {"perplexity", "perplexity_ratio", "trivia", "general_kept"}


def test_every_probe_has_its_row(conditions):
    rows = {row["id"]: row for row in answer_rows(MINE + MADE, conditions)}
    assert len(rows) == len(MINE + MADE)
    assert rows["capital"]["tuned"] == "Paris"
    assert (rows["capital"]["untuned_right"], rows["capital"]["tuned_right"]) == (False, True)
    assert rows["term"]["tuned_option"] == "Ten years"
    assert rows["term"]["accepted"] == ["ten years"]
    json.dumps(list(rows.values()), allow_nan=False)


def test_options_are_judged_by_choice_and_the_rest_by_words():
    assert [headline(probe) for probe in PROBES] == ["contains"] * 2 + ["choice_norm"] * 3
    assert [headline_of(some) for some in (PROBES[:2], PROBES[2:], PROBES, [])] == [
        "contains", "choice_norm", "right", "contains",
    ]  # fmt: skip
    assert right(PROBES[2], Answer("term", "ten years", {"contains": 1.0})) is None
    assert right(PROBES[0], Answer("capital", "", {"contains": 0.0})) is False
    assert right(PROBES[0], None) is None


def test_combine_joins_what_two_evaluations_found():
    scored = score(ToyRecaller(PROBES), PROBES)
    answer = scored.answers["term"]
    assert answer.text == "ten years"
    assert answer.chosen == 1
    assert {"contains", "choice_norm", "margin"} <= answer.metrics.keys()


def test_the_floor_is_light_to_import():
    names = [
        "base",
        "bm25",
        "choice",
        "forgetting",
        "intervals",
        "questions",
        "recall",
        "retrieval",
        "summary",
    ]
    imports = ", ".join(f"byheart.evaluation.{name}" for name in names)
    code = f"import sys, {imports}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "transformers", "hydra", "omegaconf"} & set(loaded)
