"""Many adapters trained together on one frozen base model, each exactly as if it were alone.

The rows of all jobs go through one forward and one backward pass (as in PLoRA, arXiv 2508.02932); each slot has its
own LoRA matrices, optimizer, order of rows, curve and stopping. `training.trainer.Trainer` is the oracle.
"""

from collections.abc import Callable, Sequence
from typing import Any

from byheart.errors import Problem
from byheart.training.packed.job import Job, Paused
from byheart.training.trainer import Learned
from byheart.types import CurvePoint

GO_ON, PAUSE, STOP = "go on", "pause", "stop"  # what on_check may answer


def _go_on(job: Job, point: CurvePoint, curve: Sequence[CurvePoint]) -> str:
    return GO_ON


class PackedTrainer:
    """Trains up to `slots` jobs at a time on `model`, a loaded transformers model, which it freezes and borrows.

    with PackedTrainer(model, slots=8, max_rank=16) as trainer:
        trainer.stream(next_job, on_result)

    On leaving the `with` block the model is as it was. All jobs share `targets` (peft's target_modules).
    """

    def __init__(
        self,
        model: Any,
        slots: int,
        max_rank: int,
        targets: str | tuple[str, ...] = "all-linear",
        tokens_at_once: int | None = None,
    ):
        """`tokens_at_once` bounds the tokens of one forward pass (None: the whole tick); gradients add up exactly.

        Device and dtype are the model's own.
        """
        raise NotImplementedError

    def tests(self, job: Job) -> list[Problem]:
        """Why this job cannot join the pack (rank, targets, dropout, no rows, ...), before anything is computed."""
        raise NotImplementedError

    def stream(
        self,
        next_job: Callable[[], Job | None],
        on_result: Callable[[Job, Learned], None],
        on_check: Callable[[Job, CurvePoint, Sequence[CurvePoint]], str] = _go_on,
        recall: Callable[[Job, Any], float] | None = None,
        stop_requested: Callable[[], bool] = lambda: False,
        on_tick: Callable[[dict[str, tuple[int, int]]], None] = lambda steps: None,
    ) -> None:
        """Runs until `next_job` gives None while no job is left.

        next_job: asked once for each free slot, at the start and again after every result; None means "none now".
        on_result: called once for each job that leaves. `Learned.state` is finished, upturn, diverged (the reason is
          in `notes`; what was best before is saved), paused (on_check said so; fetch `paused(job.id)`), or stopped
          (on_check or stop_requested said so). The adapter of the best epoch lies in `job.folder`/adapter, the curve in
          curve.csv, both written before the call. A job that never reached an epoch's end saves its last weights.
        on_check: after each validation check; answers GO_ON, PAUSE or STOP.
        recall: at each epoch's end, with the job and a model that computes with this job's adapter alone.
        on_tick: after each tick, job id -> (steps done, steps in all).
        """
        raise NotImplementedError

    def paused(self, job_id: str) -> Paused:
        """The state of a job that left with state "paused"; kept until it is fetched, then forgotten here."""
        raise NotImplementedError

    def bytes_per_slot(self) -> int:
        """Device memory that one more slot takes: masters, two moments, gradient and the copy that computes."""
        raise NotImplementedError

    def close(self) -> None:
        """Gives the model back as it was."""
        raise NotImplementedError

    def __enter__(self) -> "PackedTrainer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
