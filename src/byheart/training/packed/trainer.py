"""Many adapters trained together on one frozen base model, each exactly as if it were alone.

The rows of all jobs go through one forward and one backward pass (as in PLoRA, arXiv 2508.02932); each slot has its
own LoRA matrices, optimizer, order of rows, curve and stopping. `training.trainer.Trainer` is the oracle.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from byheart.errors import Diverged, Problem, gather
from byheart.model.adapter import Lora
from byheart.training.packed.job import Job, Paused
from byheart.training.trainer import Learned
from byheart.types import CurvePoint

if TYPE_CHECKING:
    from byheart.training.packed.course import Course
    from byheart.training.packed.lines import Pass, Seat
    from byheart.training.validation import Validation

GO_ON, PAUSE, PRUNE = "go on", "pause", "prune"  # what on_check may answer
VALIDATED_AT_ONCE = 8192  # tokens
TOGETHER = 4  # rows of a slot behind one prefix: in longer lines attention costs more than the prefix spares


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
        compiled: bool = False,
    ):
        """`tokens_at_once` bounds the tokens of one forward pass (None: the whole tick); gradients add up exactly.
        `compiled`: the decoder layers go through torch.compile, which takes a minute and shortens the tick on a GPU.

        Device and dtype are the model's own. Raises UserError where this model cannot be packed.
        """
        from byheart.training.packed.attention import choose_attention
        from byheart.training.packed.lines import compile_layers
        from byheart.training.packed.stack import Stack

        gather(_model_problems(model))
        self.model, self.slots, self.max_rank, self.targets = model, slots, max_rank, targets
        self.tokens_at_once = tokens_at_once
        self._attention = model.config._attn_implementation
        self._grads = {name: p.requires_grad for name, p in model.named_parameters()}
        self._training = model.training
        model.eval().requires_grad_(False)
        self.stack = Stack(model, slots, max_rank, targets)
        self.attention = choose_attention(model)
        # A shared token's gradients are summed before they pass a model's float32 norms: 1e-7 apart, where 1e-9 is
        # promised. Beside weights of eight bits that is nothing.
        half = self.stack.weights.dtype.itemsize < 4
        self.together = TOGETHER if half and self.stack.weights.device.type == "cpu" else 1
        self._compiled = compile_layers(model) if compiled else []
        self._courses: dict[int, Course] = {}
        self._paused: dict[str, Paused] = {}
        self._initial: tuple[Any, Any] = None, None  # trials of one sweep often begin alike, and peft takes its time

    def tests(self, job: Job) -> list[Problem]:
        """Why this job cannot join the pack, before anything is computed."""
        adapter, problems = job.adapter, []
        if not isinstance(adapter, Lora):
            return [Problem("only LoRA adapters are packed", "adapter", type(adapter).__name__, "train it by itself")]
        if adapter.rank > self.max_rank:
            fix = "raise the pack's max_rank"
            problems.append(Problem(f"above the pack's {self.max_rank}", "adapter.rank", str(adapter.rank), fix))
        if adapter.dropout:
            fix = "set it to 0, or train this trial by itself"
            problems.append(Problem("packed adapters have no dropout", "adapter.dropout", str(adapter.dropout), fix))
        if adapter.targets != self.targets:
            fix = "trials with other targets form a pack of their own"
            problems.append(Problem("not the pack's targets", "adapter.targets", str(adapter.targets), fix))
        if not job.lesson.train:
            problems.append(Problem("there are no rows to learn", "examples", job.id, "see rejected.jsonl for why"))
        return problems

    def stream(
        self,
        next_job: Callable[[], Job | None],
        on_result: Callable[[Job, Learned], None],
        on_check: Callable[[Job, CurvePoint, Sequence[CurvePoint]], str] = lambda job, point, curve: GO_ON,
        recall: Callable[[Job, Any], float | None] | None = None,
        stop_requested: Callable[[], bool] = lambda: False,
        on_tick: Callable[[dict[str, tuple[int, int]]], None] = lambda steps: None,
    ) -> None:
        """Runs until `next_job` gives None while no job is left.

        next_job: asked once for each free slot, at the start and again after every result; None means "none now".
          Raises UserError where a job fails its `tests`.
        on_result: called once for each job that leaves. `Learned.state` is finished, upturn, diverged (the reason is
          in `notes`), pruned or paused (on_check said so), or stopped (by stop_requested; training can go on from
          `paused(job.id)`, as it can for paused ones). Before the call, the adapter of the best epoch is written to
          `job.folder`/adapter and the curve to curve.csv; without a finished epoch it is the last step's adapter, and
          none where that diverged. Paused and stopped jobs have no adapter yet.
        on_check: after each validation check; answers GO_ON, PAUSE or PRUNE.
        recall: at each epoch's end, with the job and a model that computes with this job's adapter alone.
        on_tick: after each tick (one optimizer step of each job), job id -> (steps done, steps in all).
        """
        asking = True
        while True:
            while asking and len(self._courses) < self.slots:
                job = next_job()
                if job is None:
                    asking = False
                else:
                    self._join(job)
            leaving = self._tick(on_tick, on_check, recall) if self._courses else {}
            if stop_requested():
                leaving = {course: leaving.get(course, ("stopped", "")) for course in self._courses.values()}
            for course, (state, note) in leaving.items():
                on_result(course.job, self._leave(course, state, note))
                asking = True
            if stop_requested() or not (self._courses or asking):
                return

    def paused(self, job_id: str) -> Paused:
        """What a paused or stopped job goes on from; kept until it is fetched, then forgotten here."""
        return self._paused.pop(job_id)

    def bytes_per_slot(self) -> int:
        """Device memory that one more slot takes without activations: master, mean, gradient, two moments, working copy."""
        row = self.stack.masters[0]
        return int(row.numel() * (5 * row.itemsize + self.stack.weights.itemsize))

    def bytes_of_moments(self) -> int:
        """Those of a slot that come with its first step."""
        row = self.stack.masters[0]
        return int(row.numel() * 2 * row.itemsize)

    def close(self) -> None:
        """Gives the model back as it was."""
        self.stack.close()
        for layer in self._compiled:
            layer._compiled_call_impl = None
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self._grads[name])
        self.model.train(self._training)

    def __enter__(self) -> "PackedTrainer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _join(self, job: Job) -> None:
        from byheart.training.packed.adapters import initial
        from byheart.training.packed.course import Course

        gather(self.tests(job))
        slot = next(i for i in range(self.slots) if i not in self._courses)
        self.stack.reach(max(slot, *self._courses, 0) + 1)
        if job.paused:
            self.stack.rejoin(slot, job.adapter, job.optimizer, job.paused.tensors)
        else:
            how = job.adapter, job.lesson.seed
            if self._initial[0] != how:
                self._initial = how, initial(job.adapter, self.model, job.lesson.seed)
            self.stack.join(slot, job.adapter, job.optimizer, self._initial[1])
        self._courses[slot] = Course(job, slot)

    def _leave(self, course: "Course", state: str, note: str) -> Learned:
        from byheart.training.packed.adapters import save

        job, rank = course.job, course.job.adapter.rank
        if state in ("paused", "stopped"):
            self._paused[job.id] = course.paused(self.stack.state(course.slot, rank))
        else:
            weights = course.best
            if weights is None and state != "diverged":
                weights = self.stack.snapshot(course.slot, rank)
            if weights is not None:
                save(job.adapter, self.model, self.stack.matrices_of(weights, rank), job.folder / "adapter")
        self.stack.leave(course.slot)
        del self._courses[course.slot]
        self.stack.reach(max(self._courses, default=0) + 1)
        return course.learned(state, *([note] if note else []))

    def _tick(self, on_tick: Any, on_check: Any, recall: Any) -> "dict[Course, tuple[str, str]]":
        """One optimizer step of every job, and the checks that are due; who leaves, with state and note."""
        courses = [course for course in self._courses.values() if not course.over]
        leaving: dict[Course, tuple[str, str]] = {}
        losses, known = self._losses([seat for course in courses for seat in course.seats()])
        rates = {course.slot: course.rate for course in courses}
        for course in courses:
            try:
                course.took(losses[course.slot], known[course.slot])
            except Diverged as error:
                leaving[course] = ("diverged", str(error))
                del rates[course.slot]
        self.stack.step(rates)
        on_tick({course.job.id: (course.step, course.steps) for course in courses})
        due = [course for course in courses if course not in leaving and course.check_due]
        seats = [seat for course in due for seat in course.validation_seats()]
        found = self._validated(seats) if seats else []
        for course in due:
            try:
                leaving |= self._check(course, found, on_check, recall)
            except Diverged as error:
                leaving[course] = ("diverged", str(error))
        over = {c: (c.over, "") for c in self._courses.values() if c.over and c not in leaving}
        return leaving | over

    def _check(
        self, course: "Course", found: "list[Validation]", on_check: Any, recall: Any
    ) -> "dict[Course, tuple[str, str]]":
        told = None
        if recall and course.epoch_end:
            with self._alone(course.slot):
                told = recall(course.job, self.model)
        point = course.measured(found[course.slot] if course.job.lesson.validate else None, told)
        if course.best_is_now:
            course.best = self.stack.snapshot(course.slot, course.job.adapter.rank)
        answer = on_check(course.job, point, tuple(course.curve))
        if course.over or answer == GO_ON:
            return {}
        return {course: ({PAUSE: "paused", PRUNE: "pruned"}[answer], "")}

    def _losses(self, seats: "list[Seat]") -> tuple[list[float], list[list[int]]]:
        """The loss of each slot, and its gradients, which add up over the parts of the tick; and how many of its rows
        were said word for word, and how many there are."""
        import torch

        from byheart.training.loss import token_scores
        from byheart.training.validation import known_by_slot

        known = torch.zeros(2, self.slots, dtype=torch.long, device=self.stack.masters.device)
        totals = torch.zeros(self.slots, dtype=self.stack.masters.dtype, device=self.stack.masters.device)
        with torch.enable_grad(), self._own(self.attention or self._attention):
            for laid in self._passes(seats, self.tokens_at_once):
                losses, right = token_scores(self.model, laid.batch, **laid.more)
                known += known_by_slot(right, laid.batch, laid.owners, self.slots)
                own = losses * laid.weights.to(losses.dtype).to(losses.device)
                slots = torch.zeros_like(totals, dtype=losses.dtype).index_add(0, laid.owners, own)
                slots.sum().backward()
                totals += slots.detach()
        return totals.tolist(), known.T.tolist()

    def _validated(self, seats: "list[Seat]") -> "list[Validation]":
        """What the validation rows show of each slot; of those without any, nothing that counts."""
        import torch

        from byheart.training.loss import token_scores
        from byheart.training.validation import SUMS, Validation, sums_by_slot

        totals = torch.zeros(SUMS, self.slots, dtype=torch.float64)
        slots = {seat.slot for seat in seats}
        with torch.no_grad(), self._own(self.attention or self._attention), self.stack.measured(slots):
            for laid in self._passes(seats, VALIDATED_AT_ONCE):
                losses, right = token_scores(self.model, laid.batch, **laid.more)
                own = laid.weights.to(losses.device)
                totals += sums_by_slot(losses, right, own, laid.batch.rows, laid.owners, self.slots).cpu()
        return [Validation.of(each) for each in totals.T.tolist()]

    def _passes(self, seats: "list[Seat]", at_once: int | None) -> "Iterator[Pass]":
        """The seats laid out for one forward pass after another."""
        from byheart.training.packed.lines import lay, parts

        filler = next(iter(self._courses.values())).job.lesson.filler
        device = self.stack.masters.device
        for part in parts(seats, at_once):
            laid = lay(part, self.stack.used, filler, self.attention is None, device, self.together)
            self.stack.routing = laid.slots
            yield laid

    @contextmanager
    def _own(self, attention: str) -> Iterator[None]:
        """The model is ours within, with this attention; callbacks meet it as it was."""
        self.model.set_attn_implementation(attention)
        try:
            yield
        finally:
            self.stack.bypass()
            self.model.set_attn_implementation(self._attention)

    @contextmanager
    def _alone(self, slot: int) -> Iterator[None]:
        """The model as a user of this one adapter has it; the random state is as if nothing had been asked."""
        import torch

        with self._own(self._attention), self.stack.measured([slot]), torch.random.fork_rng(), torch.no_grad():
            self.stack.routing = slot
            yield


def _model_problems(model: Any) -> list[Problem]:
    import torch

    found = [name for name, m in model.named_modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    value = getattr(model.config, "attention_dropout", 0.0) or 0.0
    if not found and not value:
        return []
    what = "this model has dropout, whose random numbers packed trials would share"
    return [Problem(what, "model.path", found[0] if found else f"attention_dropout={value}", "train one at a time")]
