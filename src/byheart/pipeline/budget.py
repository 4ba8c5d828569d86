"""A budget of time: how much of it each stage may take, so that training gets most of it and the report is there in time."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from byheart.pipeline.prepare_data import will_ask_teacher
from byheart.pipeline.run import Plan, Run
from byheart.pipeline.run_config import RunConfig
from byheart.training.job import TrainJob

TEXTS = ("documents", "expansion", "split")
ROUND = ("recall", "further_examples", "training")  # each after the first
SCORING = 0.4  # of the time that is left: scoring of all models
SAMPLING = 0.25  # of the time that is left for training: sampling of replayed rows
# Scoring, in times of the untuned model's: prompts are longer with open book, and an adapter's products cost time.
OPEN_BOOK, USUAL, TUNED = 2.0, 1.6, 2.2  # TUNED: at most
PROFILING = 0.25  # of the time for scoring: the profiles of facts, at most
FACT = 1.2  # the profile of a fact, in times of a question that is asked
LEAST_OPEN_BOOK, MOST_OPEN_BOOK = 8, 32  # probes; fewer tell nothing, more make a short run half a minute longer
LOADING_S = 60.0  # at most
SAVING_S = 10.0  # seconds to save the adapter, load the base again and write the page
FORWARD = 1 / 3  # of a training step: the forward pass alone


def plan_of(config: RunConfig, run: Run) -> Plan:
    """The stages of `learn`."""
    again = config.retrain != "none"
    stages = [
        *(["model"] if will_ask_teacher(config, run) else []),  # tried before the teacher is paid
        *(*TEXTS, "model"),
        *(["speed"] if config.limit.seconds is not None else []),
        *("score_untuned", "score_open_book", "rows"),
        *(["replay"] if config.rows.replay else []),
        *("training", *ROUND * (config.rounds - 1), *(["recall"] if config.rounds > 1 else [])),
        *(["retraining"] if again else []),
        *(["score_retrained"] if again else []),
        *("score_tuned", "score_tuned_open_book"),
    ]
    return Plan(tuple(stages), expected, config.limit.seconds)


def expected(stage: str, record: Mapping[str, Any]) -> float | None:
    """Seconds that a stage will take, as far as the record of earlier ones tells."""
    timings = record["timings"]
    if stage in ("score_tuned", "score_retrained") and "score_untuned" in timings:
        return USUAL * timings["score_untuned"] + _loading(record)
    if stage == "score_tuned_open_book" and "score_open_book" in timings:
        return USUAL * timings["score_open_book"]
    return timings.get("training") if stage == "retraining" else None


def _loading(record: Mapping[str, Any]) -> float:
    """Seconds to load the base again; the first time it may have been downloaded."""
    return min(record.get("load_seconds", 0.0), LOADING_S)


def adapters_scored(config: RunConfig) -> int:
    return 1 if config.retrain == "none" else 2


def probes_that_fit(config: RunConfig, run: Run, seconds_each: float) -> float:
    """How many probes may be asked, where the untuned model takes so many seconds for each."""
    return _scoring_seconds(config, run) / (max(seconds_each, 1e-9) * (1 + OPEN_BOOK + TUNED * adapters_scored(config)))


def facts_that_fit(config: RunConfig, run: Run, seconds_each: float) -> tuple[float, float]:
    """How many facts may be profiled, and how many fewer probes may be asked for each of them; `seconds_each` of a probe."""
    each = FACT * max(seconds_each, 1e-9) * (1 + TUNED * adapters_scored(config))  # not with open book
    seconds = _scoring_seconds(config, run)
    return PROFILING * seconds / each, each * probes_that_fit(config, run, seconds_each) / max(seconds, 1e-9)


def _scoring_seconds(config: RunConfig, run: Run) -> float:
    assert config.limit.seconds is not None
    return SCORING * max(0.0, config.limit.seconds - run.seconds)


def open_book_that_fits(config: RunConfig, run: Run, probes: int) -> int:
    """Of so many probes, how many the tuned model may be asked with open book in what is left of a budget of time.

    Time is kept for the slowest scoring of the tuned model: what that has not used is spent here, no training time is.
    """
    if config.limit.seconds is None:
        return probes
    timings = run.record["timings"]
    slower = timings.get("score_tuned", 0.0) / max(timings.get("score_untuned", 0.0), 1e-9)
    each = timings.get("score_open_book", 0.0) * max(1.0, slower) / max(1, probes)
    fit = int(max(0.0, config.limit.seconds - run.seconds - SAVING_S) / max(each, 1e-9))
    return min(probes, fit, MOST_OPEN_BOOK) if fit >= LEAST_OPEN_BOOK else 0


def training_ends(config: RunConfig, run: Run, trainings: int | None = None) -> float:
    """The second of the run at which training must end, so that the report is there within a budget of time.

    `trainings`: how many are still to share the time. By default one for each adapter: a training afresh takes as long
    as the first one.
    """
    if config.limit.seconds is None:
        return math.inf
    left = config.limit.seconds - after_training(run.record, adapters_scored(config)) - run.seconds
    return run.seconds + left / (trainings or adapters_scored(config))


def after_training(record: Mapping[str, Any], adapters: int = 1) -> float:
    """Seconds from the last step to the report, by what the stages before have taken."""
    return adapters * (TUNED * record["timings"].get("score_untuned", 0.0) + max(SAVING_S, _loading(record)))


def sampling_seconds(config: RunConfig, run: Run) -> float:
    """How long replayed rows may be sampled; infinite without a budget of time, so that nothing depends on the clock."""
    left = training_ends(config, run) - run.seconds
    return SAMPLING * max(0.0, left) if left < math.inf else math.inf


def countdown(seconds: float) -> Callable[[], float]:
    """How many of so many seconds are left, counted from now."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


class StepTimer:
    """Whether another step, and the check that may follow it, would end after `until`, a second of the run."""

    def __init__(self, run: Run, train_job: TrainJob, until: float):
        self.run, self.until = run, until
        self.check_in_steps = FORWARD * len(train_job.validate) / train_job.batch_size  # until one was measured
        self.last: float | None = None
        self.step_s, self.longest_s = math.inf, 0.0

    def on_step(self) -> None:
        now = self.run.seconds
        if self.last is not None:
            self.step_s = min(self.step_s, now - self.last)
            self.longest_s = max(self.longest_s, now - self.last)
        self.last = now

    def out_of_time(self) -> bool:
        if self.until == math.inf:
            return False
        expected = self.step_s * (1 + self.check_in_steps) if self.step_s < math.inf else 0.0
        return self.run.seconds + max(self.longest_s, expected) >= self.until
