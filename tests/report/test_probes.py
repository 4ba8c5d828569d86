"""What a model picked and what it said are two answers; neither is shown, counted or show-cased as the other."""

from byheart.report.probes import by_section, outcome, replies, result, specimen, told

OPTIONS = ["the mate", "the keeper", "the cook", "nobody"]


def row(before="the mate", after="the keeper", said="a sailor", was="a sailor", **changes):
    """A question with options: "the keeper" is right; picked before and after, and said after and before."""
    models = {"untuned": (before, was), "open_book": ("the keeper", "the keeper"), "tuned": (after, said)}
    found = {
        "id": "q",
        "source": "questions",
        "question": "Who?",
        "accepted": ["the keeper"],
        "options": OPTIONS,
        "facts": [],
    }
    for model, (option, words) in models.items():
        hit = float(option == "the keeper")
        metrics = {"choice_norm": hit, "choice_norm_blind": 0.0, "contains": float("keeper" in words)}
        found |= {model: words, f"{model}_option": option, f"{model}_right": bool(hit), f"{model}_metrics": metrics}
    return found | changes


def unasked(**changes):
    bare = {f"{model}{end}": None for model in ("untuned", "open_book", "tuned") for end in ("", "_option", "_right")}
    return row() | bare | {f"{model}_metrics": {} for model in ("untuned", "open_book", "tuned")} | changes


def test_both_answers_are_shown_each_with_its_verdict():
    assert [(r.how, r.text, r.mark) for r in replies(row(), "tuned")] == [
        ("picked", "B. the keeper", "✓"),
        ("said", "a sailor", "✗"),
    ]
    assert told(row(), "tuned") == "picked B. the keeper ✓ · said: a sailor ✗"
    long = told(row(said="words " * 40), "tuned", 66)
    assert long.startswith("picked B ✓ · said: words words") and long.endswith("… ✗") and len(long) <= 66
    assert told(row(said="the keeper", after="the cook"), "tuned") == "picked C. the cook ✗ · said: the keeper ✓"


def test_the_result_counts_options_and_words_apart():
    rows = [row(), row(said="the keeper"), row("the keeper", "nobody"), row("the keeper")]
    rows[0]["tuned_metrics"]["choice_norm_blind"] = rows[2]["tuned_metrics"]["choice_norm_blind"] = 1.0
    assert str(result(rows)) == (
        "Picked the right option in 3 of 4 exam questions (before 2, open book 4); 1 of them also without seeing the question. "
        "In its own words: 1 of 4 (before 0, open book 4)."
    )
    words = [
        each | {"options": [], **{f"{m}_option": None for m in ("untuned", "open_book", "tuned")}} for each in rows
    ]
    assert str(result(words)) == "In its own words: 1 of 4 exam questions (before 0, open book 4)."


def test_options_that_were_never_asked_leave_the_words_to_decide():
    """As with evaluation=[recall] on questions that have options."""
    asked = {f"{m}_metrics": {"contains": 1.0} for m in ("untuned", "open_book", "tuned")} | {
        "untuned_metrics": {"contains": 0.0}
    }
    only_words = unasked(tuned="the keeper", untuned="him", open_book="the keeper", **asked)
    assert outcome(only_words) == "learned" and str(result([only_words])).startswith(
        "In its own words: 1 of 1 exam questions"
    )


def test_each_probe_has_one_of_five_outcomes():
    pairs = {
        ("the mate", "the keeper"): "learned",
        ("the mate", "the cook"): "still wrong",
        ("the keeper", "nobody"): "forgotten",
    }
    assert {outcome(row(*picks)) for picks in pairs} == set(pairs.values())
    assert outcome(row("the keeper")) == "known before" and outcome(unasked()) == "not asked"
    assert result([unasked()]) is None


def test_only_what_is_also_said_rightly_and_was_not_before_is_show_cased():
    picked, both, before = row(), row(said="the keeper", id="both"), row(said="the keeper", was="a keeper")
    assert specimen([picked, before]) is None and specimen([picked, both, before]) is both


def test_sections_are_counted_the_least_learned_first():
    placed = [
        (row(), "Duties"),
        (row("the mate", "nobody"), "Storms"),
        (row(), "Storms"),
        (unasked(), "Duties"),
        (row(), ""),
    ]
    assert by_section(placed) == [("Storms", 1, 2), ("Duties", 1, 1)]
    assert by_section([(row(source="untaught"), "Duties")]) == []
