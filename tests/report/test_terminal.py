"""The terminal while a run goes on: the stage of how many, units, the time left of the whole run, and the curve."""

import io
import random
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from byheart.pipeline.run import Plan, Run
from byheart.progress import Advanced, Checked, StageBegan, StageEnded
from byheart.records import CurvePoint
from byheart.report.plot import plot
from byheart.report.terminal import Terminal
from byheart.report.time_left import TimeLeft, about


class Tty(io.StringIO):
    def __init__(self, encoding="utf-8"):
        super().__init__()
        self.code = encoding

    encoding = property(lambda self: self.code)

    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    found = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: found[0])
    return found


def curve(count, **changes):
    points = [
        CurvePoint(i, i / 4, i, 4.0 - i / 10, 3.0 - i / 10, i / 40, 1e-4, 1.0, 1.0, token_accuracy=i / 20)
        for i in range(1, count + 1)
    ]
    return [replace(point, **changes) for point in points]


def words(file):
    """What was written, without codes that move or colour."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())


# -- the time left ----------------------------------------------------------------------------------------------------


def run_of(left, now, stages):
    """Plays stages of (StageBegan, steps, seconds a step, more of Advanced); gives (second, the time left that was shown)."""
    for began, steps, step_s, more in stages:
        left.begin(began)
        left.advance(Advanced("", 0, steps, **more))
        for step in range(1, steps + 1):
            for _ in range(4):  # the screen is drawn four times a step
                now[0] += step_s(step) / 4
                yield now[0], left.of_run()
            left.advance(Advanced("", step, steps, **more))


def test_the_time_left_is_of_the_whole_run_and_is_said_once_it_is_known():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    training = StageBegan("training", "Training", 9, 10, None, 20.0)
    scoring = StageBegan("score_tuned", "Scoring", 10, 10, 20.0, 0.0)
    seen = list(run_of(left, now, [(training, 100, lambda _: 1.0, {}), (scoring, 20, lambda _: 1.0, {})]))
    assert {shown for second, shown in seen if second < 4} == {None}
    assert all(shown is not None for second, shown in seen if second > 6)
    assert all(abs(120 - second - shown) < 3 for second, shown in seen if shown is not None)


def test_the_time_left_is_never_negative_and_never_leaps():
    """Steps of uneven length, a stage that ends early, and one that takes longer than was expected."""
    now, dice = [0.0], random.Random(0)
    left = TimeLeft(lambda: now[0])
    stages = [
        (StageBegan("training", "Training", 9, 10, None, 30.0), 200, lambda i: dice.choice([0.5, 0.5, 1.5, 4.0]), {}),
        (StageBegan("score_tuned", "Scoring", 10, 10, 30.0, 0.0), 37, lambda _: 2.0, {}),
    ]
    seen = [each for each in run_of(left, now, stages) if each[1] is not None]
    assert min(shown for _, shown in seen) >= 0
    jumps = [b - a + (t2 - t1) for (t1, a), (t2, b) in pairwise(seen)]
    assert max(jumps) < 15, "it does not rise by more than that at once"
    assert min(jumps) > -15


def test_a_budget_of_time_is_known_from_the_first_second_and_limits_what_speed_promises():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.begin(StageBegan("documents", "Reading", 1, 10, None, None, 900.0))
    assert left.told() == "up to 15 min left"
    left.begin(StageBegan("training", "Training", 9, 10, None, 60.0, 500.0))
    for step in range(30):
        left.advance(Advanced("", step, 10_000, unit="steps", at_most=True, seconds_left=440.0 - now[0]))
        now[0] += 1.0
    assert left.of_run() == pytest.approx(470, abs=5)
    for step in range(30, 95):
        left.advance(Advanced("", step, 100, unit="steps", at_most=True, seconds_left=440.0 - now[0]))
        now[0] += 1.0
    assert left.of_run() == pytest.approx(65, abs=20), "all epochs are done before the budget ends"
    left.begin(StageBegan("score_tuned", "Scoring", 10, 10, 60.0, 0.0, -5.0))
    assert left.of_run() == pytest.approx(60), "a budget that was overrun says nothing"


@pytest.mark.parametrize(
    "seconds, said",
    [(0, "5 s"), (43, "45 s"), (58, "1 min"), (263, "4 min 20 s"), (290, "4 min 50 s"), (299, "5 min"),
     (719, "12 min"), (3599, "1 h"), (5130, "1 h 25 min"), (7200, "2 h")],
)  # fmt: skip
def test_the_time_left_is_rounded(seconds, said):
    assert about(seconds) == said


# -- the stages -------------------------------------------------------------------------------------------------------


def test_a_run_tells_the_stage_of_how_many(tmp_path):
    began = []
    stages = ("documents", "split", "score_untuned", "training", "score_tuned")
    with Run(tmp_path, lambda event: began.append(event) if isinstance(event, StageBegan) else None) as run:
        run.plan = Plan(
            stages, lambda stage, record: record["timings"].get("score_untuned") if stage == "score_tuned" else None
        )
        for stage in (
            "documents",
            "score_untuned",
            "training",
            "score_tuned",
            "unplanned",
        ):  # a resumed run passes one over
            with run.stage(stage, stage.title()):
                pass
    assert [(event.number, event.count) for event in began] == [(1, 5), (3, 5), (4, 5), (5, 5), (0, 0)]
    assert [event.later for event in began] == [None, None, 0.0, 0, None]


def test_a_screen_shows_stage_units_and_the_time_left(now):
    file = Tty()
    shown = Terminal(file)
    shown(StageBegan("score_tuned", "Scoring the tuned model", 3, 7, 60.0, 0.0))
    shown(Advanced("recall", 24, 37, unit="questions"))
    shown.stage.live.refresh()
    shown(StageEnded("score_tuned", "Scoring the tuned model", 1.0))
    told = words(file)
    assert "3 of 7 · Scoring the tuned model" in told and "24 of 37 questions" in told and "about 1 min left" in told


def test_a_log_has_whole_lines_with_units_and_says_nothing_twice(now):
    log = io.StringIO()
    shown = Terminal(log)
    shown(StageBegan("training", "Training", 6, 7, None, 30.0))
    for step in range(60):
        shown(Advanced("", step, 366, "epoch 0.5 of at most 9", "steps", at_most=True))
        now[0] += 1.0
    for _ in range(40):  # nothing moves
        shown(Advanced("", 59, 366, "epoch 0.5 of at most 9", "steps", at_most=True))
        now[0] += 0.0
    shown(StageEnded("training", "Training", 60.0))
    lines = log.getvalue().splitlines()
    assert lines[0] == "· 6 of 7 · Training" and "\x1b" not in log.getvalue() and "\r" not in log.getvalue()
    assert lines[1].startswith("  10 of at most 366 steps, epoch 0.5 of at most 9, up to 6 min left")
    assert len(lines) == len(set(lines)) == 8


def test_a_stage_whose_run_has_no_end_in_sight_tells_its_own(now):
    log = io.StringIO()
    shown = Terminal(log)
    shown(StageBegan("replay", "Sampling", 7, 10))
    shown(Advanced("", 0, 97, unit="texts"))
    for done in (17, 37, 57):  # the first comes with a whole batch, after what had to be made ready
        now[0] += 30.0
        shown(Advanced("", done, 97, unit="texts"))
    told = log.getvalue().splitlines()
    assert [line.split(", ")[-1] for line in told[2:]] == [
        "about 1 min 30 s left in this stage",
        "about 1 min left in this stage",
    ]


# -- the curve --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [78, 58, 40])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_curve_names_its_axes_and_has_losses_and_recall(width, unicode):
    lines = ["".join(text for text, _ in line) for line in plot(curve(9), width, unicode)]
    text = "\n".join(lines)
    assert {len(line) for line in lines} <= {width, width - width % 2} and plot([], width) == []
    assert "loss, nats" in text and "held-out answers, share" in text and text.count("epochs") == 2
    for name in ("validation 2.10", "training 3.10", "recall 0.23", "tokens right 0.45"):
        assert name in text
    assert unicode or text.isascii()


def test_the_curve_shows_what_was_measured_only():
    nothing = {"val_loss": None, "recall": None, "token_accuracy": None}
    assert "not measured yet" in "".join(
        text for line in plot(curve(1, train_loss=None, **nothing)) for text, _ in line
    )
    trained = "".join(text for line in plot(curve(3, train_recall=0.5, **nothing)) for text, _ in line)
    assert "trained answers, share" in trained and "recall 0.50" in trained and "validation" not in trained
    flat = plot(curve(3, val_loss=float("nan"), train_loss=2.0))
    assert "training 2.00" in "".join(text for text, _ in flat[1])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_any_terminal_can_show_the_curve(encoding):
    file = Tty(encoding)
    shown = Terminal(file)
    shown(StageBegan("training", "Training", 6, 7))
    shown(Advanced("", 3, 9, unit="steps"))
    shown(Checked("training", curve(9)[-1], curve(9)))
    shown(StageEnded("training", "Training", 1.0))
    told = words(file)
    assert "held-out answers, share" in told and "recall 0.23" in told
    assert "?" not in told.encode(encoding, "byheart.plain").decode(encoding)
