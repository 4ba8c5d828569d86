"""Many adapters trained together on one frozen base model, each exactly as if it were alone.

The rows of all jobs go through one forward and one backward pass (as in PLoRA, arXiv 2508.02932); each slot has its
own LoRA matrices, optimizer, order of rows, curve and early stopping. Tests compare it with `training.trainer.Trainer`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from byheart.errors import Diverged, Problem, gather
from byheart.model.adapters.adapter import Lora
from byheart.model.as_found import kept_modes
from byheart.model.memory import halving
from byheart.model.random_state import kept_random_state
from byheart.training.agreement import ForwardPath, find_path
from byheart.training.job import Paused, TrainResult
from byheart.training.layout import Part, Row
from byheart.training.loss import token_scores
from byheart.training.memory import forward_bytes, slot_bytes
from byheart.training.multi_lora import attention
from byheart.training.multi_lora.adapters import Matrices, initial, save
from byheart.training.multi_lora.answers import PackAnswers
from byheart.training.multi_lora.batch import PackedRow, lay_out, split
from byheart.training.multi_lora.job import GO_ON, PAUSE, PRUNE, PackedHooks, PackedJob
from byheart.training.multi_lora.slot_state import SlotState
from byheart.training.multi_lora.stack import Stack
from byheart.training.validation import Validation, known_by_slot, validate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ASKED = [Row(list(range(first, first + count)), 1) for first, count in ((1, 7), (3, 3), (2, 5))]
VALIDATED_AT_ONCE = 8192  # tokens
TOGETHER = 4  # rows of a slot that share a prefix: in longer sequences attention costs more than the prefix saves


_paths: "WeakKeyDictionary[PreTrainedModel, ForwardPath]" = WeakKeyDictionary()


def _path_of(model: "PreTrainedModel") -> ForwardPath:
    """How the grid reads rows. Asked once: a sweep makes several packs on a model. Rows of any length will do, because the
    grid computes with the model's own attention."""
    if model not in _paths:
        _paths[model] = find_path(model, ASKED, "padded", 0)
    return _paths[model]


class PackedTrainer:
    """Trains up to `slots` jobs at a time on `model`, a loaded transformers model, which it freezes and borrows.

    with PackedTrainer(model, slots=8, max_rank=16) as trainer:
        trainer.stream(next_job, on_result)

    On leaving the `with` block the model is as it was. All jobs share `targets` (peft's target_modules).
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        slots: int,
        max_rank: int,
        targets: str | tuple[str, ...] = "all-linear",
        tokens_at_once: int | None = None,
    ):
        """`tokens_at_once` bounds the tokens of one forward pass (None: the whole batch); gradients add up exactly.

        Device and dtype are the model's own. Whether this model can be packed at all: ask `packable.why_alone`.
        """
        self.path = _path_of(model)
        self.model, self.slots, self.max_rank, self.targets = model, slots, max_rank, targets
        self.tokens_at_once, self.validated_at_once = tokens_at_once, VALIDATED_AT_ONCE
        self._own_attention: str = model.config._attn_implementation
        with ExitStack() as given_back:  # also where the stack cannot be made
            given_back.enter_context(kept_modes(model))
            model.eval().requires_grad_(False)
            self.stack = Stack(model, slots, max_rank, targets)
            given_back.callback(self.stack.close)
            self._given_back = given_back.pop_all()
        self.attention: str | None = None  # ours, once it was asked for; None: a grid with the model's own
        self._longest_asked = 0
        # The gradients of a shared token are summed before they pass the model's float32 norms, which changes them by
        # 1e-7, where tests promise 1e-9. bfloat16 weights have only eight bits: there it does not matter.
        half = self.stack.weights.dtype.itemsize < 4
        self.together = TOGETHER if half and self.stack.weights.device.type == "cpu" else 1
        self._active: dict[int, SlotState] = {}  # by slot
        self._paused: dict[str, Paused] = {}
        self._note: Callable[[str], None] = lambda text: None
        self.answers = PackAnswers(
            model, self.stack, self._slot_of, self._measured, on_note=lambda line: self._note(line)
        )
        # The last initial adapter, with what it depends on: the trials of a sweep often start alike, and peft is slow.
        self._initial: tuple[tuple[Lora, int], Matrices] | None = None

    def problems(self, job: PackedJob) -> list[Problem]:
        """Why this job cannot join the pack, before anything is computed."""
        rank, dropout, targets = job.adapter.rank, job.adapter.dropout, job.adapter.targets
        most, alone = self.max_rank, "set it to 0, or train this trial by itself"
        apart = "trials with other targets form a pack of their own"
        checks = [
            (rank > most, f"above the pack's {most}", "adapter.rank", rank, "raise the pack's max_rank"),
            (dropout > 0, "packed adapters have no dropout", "adapter.dropout", dropout, alone),
            (targets != self.targets, "not the pack's targets", "adapter.targets", targets, apart),
            (not job.train_job.train, "there are no rows to learn", "examples", job.id, "see rejected.jsonl for why"),
        ]
        return [Problem(what, where, str(value), fix) for wrong, what, where, value, fix in checks if wrong]

    def stream(
        self,
        next_job: Callable[[], PackedJob | None],
        on_result: Callable[[PackedJob, TrainResult], None],
        hooks: PackedHooks | None = None,
    ) -> None:
        """Runs until `next_job` gives None while no job is left.

        next_job: called once for each free slot, at the start and again after every result; None means "none now".
          Raises UserError where a job has `problems`.
        on_result: called once for each job that leaves. `TrainResult.state` is finished, upturn, budget, diverged (the reason
          is in `notes`), pruned or paused (on_check said so), or stopped (by stop_requested; training can resume from
          `paused(job.id)`, as it can for paused ones). Before the call, the adapter of the best epoch is written to
          `job.folder`/adapter and the curve to curve.csv; without a finished epoch it is the last step's adapter, and
          none where that diverged. Paused and stopped jobs have no adapter yet.
        """
        hooks = hooks or PackedHooks()
        self._note = hooks.on_note
        ask = True
        while True:
            while ask and len(self._active) < self.slots:
                if (job := next_job()) is not None:
                    self._join(job, hooks)
                else:
                    ask = False
            leaving = self._step(hooks) if self._active else {}
            stop = hooks.stop_requested()  # asked once a step: a stop during `on_result` must not leave jobs unsaved
            if stop:
                leaving = {state: leaving.get(state, ("stopped", "")) for state in self._active.values()}
            for state, (how, note) in leaving.items():
                on_result(state.job, self._leave(state, how, note))
                ask = True
            if stop or not (self._active or ask):
                return

    def try_out(self, jobs: Sequence[PackedJob], own: Sequence[Matrices]) -> list[tuple[float, Matrices]]:
        """Of each job, with these matrices: the loss of its first batch, and the gradients. For a new trainer only."""
        for job, matrices in zip(jobs, own, strict=True):
            self._initial = (job.adapter, job.train_job.seed), matrices
            self._join(job)
        losses, _ = self._losses([row for state in self._active.values() for row in state.next_rows()])
        gradients = [self.stack.places.named(row, self.max_rank) for row in self.stack.collect_gradients()]
        return list(zip(losses, gradients, strict=True))

    def paused(self, job_id: str) -> Paused:
        """What a paused or stopped job resumes from; it can be fetched once."""
        return self._paused.pop(job_id)

    def bytes_per_slot(self) -> int:
        """Device memory that one more slot takes without activations."""
        row = self.stack.masters[0]
        return slot_bytes(row.numel(), self.stack.weights.itemsize, row.device.type == "cpu")

    def bytes_of_validation(self, rows: Sequence[Row], slots: int) -> int:
        """Device memory that one pass of a validation of so many slots takes: logits at the targets, a layer's activations."""
        embedding: Any = self.model.get_input_embeddings()
        vocabulary, width = embedding.weight.shape
        tokens = sum(len(row.tokens) for row in rows)
        targets = tokens - sum(row.loss_from for row in rows)
        most = min(VALIDATED_AT_ONCE, tokens * slots)
        device, itemsize = self.stack.masters.device.type, self.stack.weights.itemsize
        return int(forward_bytes(most, most * targets / max(1, tokens), width, vocabulary, itemsize, device))

    def bytes_of_moments(self) -> int:
        """Device memory that a slot's first step adds."""
        row = self.stack.masters[0]
        return int(row.numel() * 2 * row.itemsize)

    def __enter__(self) -> "PackedTrainer":
        return self

    def __exit__(self, *error: object) -> None:
        """Gives the model back as it was."""
        self._given_back.close()

    def _join(self, job: PackedJob, hooks: PackedHooks | None = None) -> None:
        gather(self.problems(job))
        self._ask(job, hooks or PackedHooks())
        slot = next(i for i in range(self.slots) if i not in self._active)
        self.stack.reach(max(slot, *self._active, 0) + 1)
        if job.paused:
            self.stack.rejoin(slot, job.adapter, job.optimizer, job.paused.tensors)
        else:
            key = job.adapter, job.train_job.seed
            if self._initial is None or self._initial[0] != key:
                self._initial = key, initial(job.adapter, self.model, job.train_job.seed)
            self.stack.join(slot, job.adapter, job.optimizer, self._initial[1])
        self._active[slot] = SlotState(job, slot)

    def _ask(self, job: PackedJob, hooks: PackedHooks) -> None:
        """Chooses the attention, anew where a job has longer rows than those that the model was asked with."""
        rows = [*job.train_job.train, *job.train_job.validate]
        longest = max(len(row.tokens) for row in rows)
        if longest <= self._longest_asked or (self._longest_asked and self.attention is None):
            return
        self.attention, why = attention.choose_attention(
            self.model, rows, self.path.head, job.train_job.filler, self.together
        )
        self._longest_asked = longest
        if why:
            hooks.on_note(f"packed rows {why}: trials train together in a grid of padded rows, which is slower")

    def _leave(self, state: SlotState, how: str, note: str) -> TrainResult:
        job, rank = state.job, state.job.adapter.rank
        if how in ("paused", "stopped"):
            self._paused[job.id] = state.paused_with(self.stack.state(state.slot, rank))
        else:
            weights = state.best
            if weights is None and how != "diverged":
                weights = self.stack.snapshot(state.slot, rank)
            if weights is not None:
                save(job.adapter, self.model, self.stack.matrices_of(weights, rank), job.folder / "adapter")
        self.stack.leave(state.slot)
        del self._active[state.slot]
        self.stack.reach(max(self._active, default=0) + 1)
        return state.result(how, [note] if note else [])

    def _step(self, hooks: PackedHooks) -> dict[SlotState, tuple[str, str]]:
        """One optimizer step of every job, and the checks that are due; the jobs that leave, each with how and a note."""
        states = [state for state in self._active.values() if not state.over]
        leaving: dict[SlotState, tuple[str, str]] = {}
        losses, known = self._losses([row for state in states for row in state.next_rows()])
        rates = {state.slot: state.rate(state.step) for state in states}
        for state in states:
            try:
                state.advance(losses[state.slot], known[state.slot])
            except Diverged as error:
                leaving[state] = ("diverged", str(error))
                del rates[state.slot]
        self.stack.step(rates)
        hooks.on_step({state.job.id: (state.step, state.train_job.steps) for state in states})
        due = [state for state in states if state not in leaving and state.check_due]
        rows = [row for state in due for row in state.validation_rows()]
        found: list[Validation] = []
        if rows:
            with self._borrowed(self.attention), self.stack.measured({row.slot for row in rows}):
                found = self._validated(rows)
        validations = {state: found[state.slot] if state.train_job.validate else None for state in due}
        for state, validation in validations.items():
            try:
                state.refuse(validation)
            except Diverged as error:
                leaving[state] = ("diverged", str(error))
        due = [state for state in due if state not in leaving]
        ending = [state for state in due if state.at_epoch_end] if hooks.recall else []
        recalls = hooks.recall([state.job for state in ending], self.answers) if hooks.recall and ending else []
        recall_of = dict(zip(ending, recalls, strict=True))
        for state in due:
            answer = self._check(state, validations[state], recall_of.get(state), hooks)
            if not state.over and answer != GO_ON:
                leaving[state] = ({PAUSE: "paused", PRUNE: "pruned"}[answer], "")
        return leaving | {s: (s.over, "") for s in self._active.values() if s.over and s not in leaving}

    def _validated(self, rows: list[PackedRow]) -> list[Validation]:
        lengths = [len(row.row.tokens) for row in rows]
        longest, tokens = max(lengths), sum(lengths)
        at_once = max(longest, min(tokens, self.validated_at_once))
        found, taken = halving(
            at_once,
            lambda at_once: validate(self.model, self._parts(rows, at_once), self.slots, self.path.head),
            lambda at_once: self.stack.forget_gradients(),
            longest,
        )
        if taken < at_once:
            self.validated_at_once = taken
        return found

    def _check(self, state: SlotState, found: Validation | None, recall: float | None, hooks: PackedHooks) -> str:
        """GO_ON, PAUSE or PRUNE."""
        point = state.record(found, lambda: recall)
        if state.is_best:
            state.best = self.stack.snapshot(state.slot, state.job.adapter.rank)
        return hooks.on_check(state.job, point, tuple(state.curve))

    def _losses(self, rows: list[PackedRow]) -> tuple[list[float], list[list[int]]]:
        """The loss of each slot, and how many of its rows were predicted word for word and how many there are.

        The gradients add up over the parts of the batch, which become smaller where memory is full.
        """
        lengths = [len(row.row.tokens) for row in rows]
        longest, tokens = max(lengths), sum(lengths)

        def with_fewer(at_once: int) -> None:
            self.stack.forget_gradients()
            was, self.tokens_at_once = self.tokens_at_once or tokens, at_once
            self._note(f"memory does not hold a step of {was} tokens: training goes on with {at_once} at once")

        at_once = min(tokens, self.tokens_at_once or tokens)
        return halving(at_once, lambda at_once: self._losses_of(rows, at_once), with_fewer, longest)[0]

    def _losses_of(self, rows: list[PackedRow], at_once: int) -> tuple[list[float], list[list[int]]]:
        known = torch.zeros(2, self.slots, dtype=torch.long, device=self.stack.masters.device)
        totals = torch.zeros(self.slots, dtype=self.stack.masters.dtype, device=self.stack.masters.device)
        with torch.enable_grad(), self._borrowed(self.attention):
            for part in self._parts(rows, at_once):
                losses, right = token_scores(self.model, part.batch, self.path.head, **part.model_inputs)
                known += known_by_slot(right, part, self.slots)
                slots = torch.zeros_like(totals, dtype=losses.dtype).index_add(0, part.slots, part.weighted(losses))
                slots.sum().backward()
                totals += slots.detach()
        return totals.tolist(), known.T.tolist()

    def _parts(self, rows: list[PackedRow], at_once: int | None) -> Iterator[Part]:
        """The rows in one forward pass after another, each of at most `at_once` tokens."""
        filler = next(iter(self._active.values())).train_job.filler
        device = self.stack.masters.device
        for some in split(rows, at_once):
            part, slots = lay_out(some, self.stack.used, filler, self.attention is None, device, self.together)
            self.stack.routing = slots
            yield part

    @contextmanager
    def _borrowed(self, attention: str | None) -> Iterator[None]:
        """Inside the `with` block the model has this attention (None: its own) and may use the slots' adapters.

        Outside, callbacks see the bare model with its own attention.
        """
        self.model.set_attn_implementation(attention or self._own_attention)
        try:
            yield
        finally:
            self.stack.bypass()
            self.model.set_attn_implementation(self._own_attention)

    def _slot_of(self, job_id: str) -> int:
        return next(slot for slot, state in self._active.items() if state.job.id == job_id)

    @contextmanager
    def _measured(self, slots: Sequence[int]) -> Iterator[None]:
        """Inside the `with` block the model may use the averaged weights of these slots; the random state is restored."""
        with self._borrowed(None), self.stack.measured(slots), kept_random_state(), torch.no_grad():
            yield
