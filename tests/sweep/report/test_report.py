"""What a sweep shows: the live table, the time left, the answers, and a page for desk and phone."""

import io
import itertools
import random
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from byheart.report.terminal import Terminal
from byheart.sweep.packed.memory import StepCost, _slots_that_fit
from byheart.sweep.report import labels
from byheart.sweep.report import plots as plots
from byheart.sweep.report.comparisons import equal_steps, marginals
from byheart.sweep.report.events import TrialAdvanced, TrialBegan
from byheart.sweep.report.live_table import LiveTable
from byheart.sweep.report.selection import Cell
from byheart.sweep.report.tables import result_table
from byheart.sweep.run.workers import free_bytes
from byheart.sweep.search.results import End, Outcome
from byheart.sweep.search.space import Space
from byheart.sweep.search.study import TrialRecord


def live_table(wanted):
    found = LiveTable(Terminal())
    found.objective, found.wanted = "val_loss", wanted
    return found


def test_the_time_left_is_shown_before_the_first_trial_has_ended(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("byheart.sweep.report.live_table.time.monotonic", lambda: now[0])
    shown = live_table(wanted=4)
    for number in (0, 1):
        shown(TrialBegan(number, {"lr": 1}))
    now[0] += 25  # the model is loaded
    for number in (0, 1):
        shown(TrialAdvanced(number, 0.001))
    assert shown.left() is None
    now[0] += 10
    for number in (0, 1):
        shown(TrialAdvanced(number, 0.5))
    assert shown.left() == pytest.approx(30, rel=0.01), "two halves of 20 s, and two whole trials, by two"
    assert shown.foot() == "0 of 4 trials; about 30 s left"
    now[0] += 1
    shown(TrialAdvanced(0, 0.9))  # a leap of the estimate
    assert shown.foot() == "0 of 4 trials; about 30 s left"


def test_the_live_table_fits_eighty_columns_and_shows_what_was_asked():
    from rich.console import Console

    shown = live_table(wanted=3)
    for number, state in enumerate(("running", "paused", "finished")):
        params = {"batch_size": 16, "lr": 0.000123, "adapter.rank": 16, "optimizer.weight_decay": 0.1}
        shown(TrialBegan(number, params, state))
        shown.lines[number].losses, shown.lines[number].memory, shown.lines[number].epoch = [3.0, 2.0], 1.234, 1.5
    shown.lines[2].value = 2.0
    console = Console(width=80, record=True, force_terminal=False)
    console.print(shown.table())
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "batch_size lr rank weigh" in text and "16 0.000123 16 0.1" in text, "keys in the head, values below"
    assert "running 0%" in text and "paused" in text and "1.23" in text and "best 2.0000" in text


def outcome(batch, *checks):
    last = checks[-1]
    return Outcome("finished", "", 1, (End(1, last[1], None, None, 1.0),), checks, 1.0, 0.1, 16 // batch)


def test_a_batch_size_sweep_answers_at_equal_epochs_and_at_equal_steps():
    space = Space.read(["batch_size=1,4", "lr=1,2"])[0]
    setup = SimpleNamespace(space=space, sweep=SimpleNamespace(objectives=("val_loss",), signs=[1]))
    small = outcome(1, (0.25, 3.0), (1.0, 1.0))
    large = outcome(4, (0.5, 2.5), (1.0, 2.0))
    known = [
        TrialRecord(0, {"batch_size": 1, "lr": 1}, "complete", (1.0,), small, ""),
        TrialRecord(1, {"batch_size": 4, "lr": 1}, "complete", (2.0,), large, ""),
    ]
    assert equal_steps(setup, known) == {4: {"batch_size=1 lr=1": 3.0, "batch_size=4 lr=1": 2.0}}
    lines = marginals(setup, known)
    assert lines[0] == "best validation loss by batch_size: 1.0000 with 1, 2.0000 with 4"
    assert lines[1] == "the same at 4 steps each: 2.0000 with 4, 3.0000 with 1", (
        "one epoch of small batches is more steps"
    )


def test_ticks_are_round_and_none_lies_upon_another():
    up = plots.Scale([3.8344, 3.7692, 3.8221, 3.8219], 200, 10, measured=True)
    assert [text for text, _ in up.ticks()] == ["3.78", "3.8", "3.82"]
    across = plots.Scale([1, 1.01, 1.02, 8], 50, 350)
    assert all(later - before >= 38 for before, later in itertools.pairwise(place for _, place in across.ticks()))


def test_drawings_keep_within_their_frame():
    points, keys = [({"lr": 10.0**-i, "batch_size": 2**i}, 1.0 + i) for i in range(4)], ["lr", "batch_size"]
    for drawing in (plots.parallel(points, keys, "val_loss", False, 360), *plots.contours(points, keys, False)):
        width = int(re.search(r"viewBox=.0 0 (\d+)", drawing)[1])
        assert all(0 <= float(x) <= width for x in re.findall(r' c?x="([\d.]+)"', drawing))


@pytest.mark.parametrize("width", [340, 760])
def test_no_text_of_a_drawing_lies_upon_another(width):
    random.seed(width)
    adapters = ["lora", "lora_attention", "lora_mlp", "dora", "full"]
    points = [
        ({"adapter": random.choice(adapters), "lr": 10 ** random.uniform(-6, -2), "rank": random.randint(2, 16)}, random.random())
        for _ in range(24)
    ]  # fmt: skip
    lines = [plots.Curve(n, "", [(e, v / (1 + e)) for e in range(4)], n == 0) for n, (_, v) in enumerate(points)]
    values = [(n, value) for n, (_, value) in enumerate(points)]
    drawings = [
        *plots.contours(points, ["adapter", "lr", "rank"], False),
        plots.curves(lines, width),
        plots.history(values, False, width),
    ]
    for drawing in drawings:
        found = re.findall(r'<text class="([^"]*)" x="([-\d.]+)" y="([-\d.]+)" text-anchor="(\w+)">([^<]*)<', drawing)
        boxes = [
            (text, labels.text_box(text, float(x), float(y), anchor))
            for kind, x, y, anchor, text in found
            if "name" not in kind
        ]
        assert not [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]
    shown = [text for drawing in drawings[:3] for text in re.findall(r'tick value"[^>]*>([\d.]+)<', drawing)]
    assert len(shown) > 0.6 * 3 * 24 and shown.count(f"{min(value for _, value in points):.3f}") == 3
    assert 'class="tick best"' in drawings[3] and ">0<" in drawings[3], "the best line has its trial at the end"


def test_few_trials_have_all_their_values_beside_them():
    points = [({"lr": 10.0**-n, "batch_size": 2**n}, 1.0 + n / 8) for n in range(4)]
    assert re.findall(r'tick value"[^>]*>([\d.]+)<', plots.contours(points, ["lr", "batch_size"], False)[0]) == [
        "1.000",
        "1.125",
        "1.250",
        "1.375",
    ]


def test_what_memory_bears_is_measured_activations_and_all():
    held = StepCost(1.0, taken=10 * 2**20, adapter=2**20)
    assert _slots_that_fit(held, None, 100 * 2**20) == 8
    assert _slots_that_fit(held, 4096, 100 * 2**20) == 71, "a bounded step holds its activations once"
    assert free_bytes("cpu") > 2**20


def test_of_many_epochs_as_many_are_shown_as_leave_every_name_and_number_whole():
    trials = [
        TrialRecord(n, {"batch_size": 2, "lr": lr}, "complete", (), None, "") for n, lr in enumerate((1e-3, 1e-4))
    ]
    results = [Cell(trial, epochs, (3.6965,), 7, epochs > 7, 1.0) for trial in trials for epochs in range(1, 13)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(result_table(results, "batch_size=2 lr=0.001", 80))
    head, *lines = console.export_text().splitlines()
    assert head.split()[2] == "1" and head.split()[-1] == "12" and len(head.split()) > 2 + 5
    assert [line.split()[:2] for line in lines] == [["batch_size=2", "lr=0.001"], ["batch_size=2", "lr=0.0001"]]
    assert all(set(line.split()[2:]) == {"3.696", "3.696*"} for line in lines)
