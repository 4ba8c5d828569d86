"""What a run says of its own training: counts that are true, and advice only where the numbers bear it."""

from byheart.records import CurvePoint, Example
from byheart.report.learning import learning
from byheart.training.stopping import Stopping


def curve(tokens, recall=0.5):
    return [CurvePoint(i, i, 10 * i, 1.0, 2.0, recall, 1e-3, 1.0, 1.0, each) for i, each in enumerate(tokens, start=1)]


def taught(counts):
    return [
        Example(f"{fact}-{i}", "q", "a", (fact,), "simple", "forward", "rules")
        for fact, count in counts.items()
        for i in range(count)
    ]


def answers(few, many):
    """Held-out questions on the facts "few" and "many", right or wrong."""
    return [
        {"source": "generated", "facts": [fact], "tuned_metrics": {"contains": float(right)}}
        for fact, all_ in (("few", few), ("many", many))
        for right in all_
    ]


def lines(tokens, state="finished", kept=4, counts=None, rows=()):
    account = {"state": state, "chosen_epoch": kept, "epochs_run": float(len(tokens)), "held_out": 20}
    more = "budget=30m" if state == "budget" else "epochs=60"
    found = learning(
        curve(tokens), Stopping("token_accuracy"), account, taught(counts or {"few": 2, "many": 12}), rows, more
    )
    return " ".join(found.lines)


def test_what_is_said_counts_answers_exposures_and_epochs():
    told = lines([0.2, 0.4, 0.5, 0.6])
    assert "10 of 20 held-out answers word for word, and predicts 60% of their tokens" in told
    assert "1: 20%, 2: 40%, 3: 50%, 4: 60%" in told
    assert "seen 28 times in the median (8 to 48)" in told, "the median of two facts lies between them"


def test_more_is_advised_only_while_it_still_rose():
    assert "epochs=60 may teach more" in lines([0.2, 0.4, 0.5, 0.6])
    assert "budget=30m may teach more" in lines([0.2, 0.4, 0.5, 0.6], state="budget")
    assert "may teach more" not in lines([0.2, 0.6, 0.5, 0.4])
    assert "More epochs would not help" in lines([0.2, 0.6, 0.5, 0.5], state="upturn", kept=2)


def test_seldom_seen_facts_are_told_apart_only_with_enough_questions():
    low, high = [0, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0]
    assert "(0.12 of 8) than the others (0.62 of 8)" in lines([0.5, 0.6], kept=4, rows=answers(low, high))
    assert "less often" not in lines([0.5, 0.6], rows=answers(low[:7], high))
    assert "less often" not in lines([0.5, 0.6], rows=answers(high, high))


def test_a_run_with_nothing_held_out_says_only_what_it_knows():
    account = {"state": "finished", "chosen_epoch": None, "epochs_run": 3.0, "held_out": 0}
    bare = [CurvePoint(1, 1, 10, 1.0, None, None, 1e-3, 1.0, 1.0)]
    found = learning(bare, Stopping(), account, taught({"a": 5}), [], "epochs=60")
    assert found.lines[0].startswith("No held-out question watched this training")
    assert found.lines[1:] == ["Each fact was seen 15 times in the median (15 to 15): its examples times 3 epochs."]
