"""Epochs read from a curve: at a constant rate one training has the result of every shorter one."""

from dataclasses import dataclass

from byheart.errors import Problem
from byheart.pipeline.run_config import RunConfig
from byheart.sweep.search.override import Override
from byheart.sweep.search.space import Params, Space

EPOCHS = "epochs"


@dataclass(frozen=True)
class Axis:
    """How a study treats `epochs`. `space` is what Optuna proposes values of."""

    space: Space
    fixed_epochs: int
    most: int | None = None  # the highest number of epochs in the space; None: epochs is not swept
    table_epochs: tuple[int, ...] = ()  # the numbers of epochs in the final table
    schedule: str = "constant"
    free: bool = True  # a training of N epochs contains every shorter one, where the rate is constant

    @classmethod
    def of(cls, space: Space, config: RunConfig) -> "tuple[Axis, list[Problem]]":
        schedules = space.values("schedule") if "schedule" in space.distributions else [config.schedule]
        free = not config.optimizer.warmup and ("schedule" in space.distributions or config.schedule == "constant")
        if EPOCHS not in space.distributions:
            return cls(space, config.epochs, None, tuple(range(1, config.epochs + 1)), config.schedule, free), []
        values = space.values(EPOCHS) or ()
        counts = [value for value in values if isinstance(value, int) and value >= 1]
        if not counts or len(counts) < len(values):
            fix = "epochs=1,2,4 or epochs=range(1,8)"
            return cls(space, config.epochs), [Problem("must be whole numbers of at least 1", EPOCHS, fix=fix)]
        most = max(counts)
        if free and schedules == ["constant"]:
            space = space.without(EPOCHS)
            if not space.distributions:
                fix = f"one training answers every number of epochs: byheart learn epochs={most}"
                return cls(space, config.epochs), [Problem("nothing varies but the number of epochs", EPOCHS, fix=fix)]
        return cls(space, most, most, tuple(sorted(counts)), config.schedule, free), []

    @property
    def extra(self) -> list[Override]:
        """Early stopping would leave the later epochs without a result."""
        return [] if self.most is None else [Override.of("stopping.patience", None)]

    def overrides(self, params: Params) -> list[Override]:
        """What a trial is trained with besides its parameters; a later override wins."""
        return [] if self.most is None else [*self.extra, Override.of(EPOCHS, self.trained(params))]

    def trained(self, params: Params) -> int:
        """For how many epochs a trial is trained."""
        return self.most if self.most is not None and self.is_free(params) else self.epochs_of(params)

    def epochs_of(self, params: Params) -> int:
        """Up to which epoch a trial's value is read."""
        epochs = params.get(EPOCHS)
        return self.fixed_epochs if epochs is None else int(epochs)

    def same_curve(self, one: Params, other: Params) -> bool:
        """Whether both are parts of one training."""
        return one == other or ({**one, EPOCHS: 0} == {**other, EPOCHS: 0} and self.is_free(one))

    def is_free(self, params: Params) -> bool:
        return self.free and params.get("schedule", self.schedule) == "constant"
