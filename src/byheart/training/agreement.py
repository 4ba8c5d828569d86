"""Which way of reading rows agrees with the model's own forward pass: found by asking the loaded model, not by its name.

The model's own loss is that of one row at a time through its plain call. Attention windows, convolutions and state spaces
may see more, or less, of a row that lies packed beside others; heads may cap or scale the logits.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.errors import Problem, UserError
from byheart.model.as_found import kept_modes
from byheart.model.memory import is_out_of_memory
from byheart.model.quantization import rounding_of
from byheart.model.random_state import kept_random_state, random_state
from byheart.training.layout import LAYOUTS, Row, common_prefix, lay_out
from byheart.training.loss import EMBEDDING, HEADS, KEPT, WHOLE, token_scores

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

Losses = Callable[[Sequence[Row]], Tensor]  # of the targets of all rows, row after row

EQUAL = 1e-5  # nats, root mean square over the targets: what float32 reaches
_INSTEAD = {"padded": "rows are padded instead", "single": "rows are read one at a time instead"}
ROUNDINGS = 2.0  # a disagreement above so many times the model's own rounding is not rounding


@dataclass(frozen=True)
class ForwardPath:
    """How rows are read: the layout of a batch, and where the logits come from (see loss.py).

    The defaults are always right, and slow. `differs_in_training`: in train mode the model draws random numbers, for dropout
    or noise of any kind, or gives another loss than in eval mode.
    """

    layout: str = "single"
    head: str = WHOLE
    differs_in_training: bool = False
    notes: tuple[str, ...] = ()  # one line for each plainer way that had to be taken


def find_path(model: "PreTrainedModel | PeftModel", rows: Sequence[Row], layout: str, filler: int) -> ForwardPath:
    """The quickest way, from `layout` on, whose losses on a few of the rows are the model's own.

    The model's mode and the random state are left as they were. Raises UserError where no way agrees.
    """

    drawn: list[str] = []

    def way(layout: str, head: str, training: bool) -> Losses:
        def losses(rows: Sequence[Row]) -> Tensor:
            model.train(training)
            try:
                with _watched(drawn):
                    batches = [batch.to(own.device) for _, batch in lay_out(rows, layout, filler)]
                    return torch.cat([token_scores(model, batch, head)[0] for batch in batches])
            finally:
                model.eval()

        return losses

    def search(training: bool) -> tuple[ForwardPath | None, str]:
        """The first way without an objection, and the objection to the very first."""
        notes = []
        heads = HEADS if plain else (KEPT, WHOLE)
        head, wrong = _first(heads, lambda head: own.compared(way("single", head, training))[0])
        if head == WHOLE:
            notes.append(f"logits at chosen places {wrong}: they are computed at every token, in more memory")
        layouts = LAYOUTS[LAYOUTS.index(layout) :]
        found, wrong = _first(layouts, lambda layout: own.compared(way(layout, head or WHOLE, training))[0])
        if found != layout:
            notes.append(f"{layout} rows {wrong}: {_INSTEAD.get(found, '')}")
        return (ForwardPath(found, head, not training, tuple(notes)) if head and found else None), wrong

    with asking(model):
        own = OwnLosses(model, asked_rows(rows))
        # In train mode, so that of most models one pass answers every question.
        objection, exact = own.compared(way(layout, EMBEDDING, training=True))
        # The head is asked with the model's own call: there is nothing else that could be rounded anew.
        plain = exact or own.has_last(way("single", EMBEDDING, training=False))
        if objection is None and plain and not drawn:
            return ForwardPath(layout, EMBEDDING)
        path = None if drawn else search(training=True)[0]
        if path is None:
            path, objection = search(training=False)
        if path is None:
            what, fix = f"even rows read one at a time {objection}", "this model cannot be trained: choose another"
            raise UserError(Problem(what, "model.path", fix=fix))
        return path


class OwnLosses:
    """The losses of rows as the model itself computes them: one row at a time, from its own logits.

    Raises UserError where they change by themselves.
    """

    def __init__(self, model: "PreTrainedModel | PeftModel", rows: Sequence[Row]):
        self.model, self.rows, self.device = model, rows, _device(model)
        self.ulp = rounding_of(model)
        drawn: list[str] = []
        with _watched(drawn):
            self.losses = [self._of(row) for row in rows]
        if drawn and (again := _size(self._of(rows[-1]) - self.losses[-1])) > EQUAL:
            what = f"read again, the same row changes its loss by {again:.2g} nats, although the model is in eval mode"
            raise UserError(Problem(what, "model.path", fix="choose a model that computes the same thing each time"))

    def has_last(self, losses: Losses) -> bool:
        """Whether another way gives the losses of the last row, which is the shortest, to the last digits."""
        try:
            return _size(losses(self.rows[-1:]).cpu() - self.losses[-1]) <= EQUAL / 10
        except Exception as error:
            return _reason(error) == ""

    def compared(self, losses: Losses) -> tuple[str | None, bool]:
        """What is wrong with another way, as the predicate of a sentence, None where all is rounding; whether all is equal."""
        try:
            found_N, own_N = losses(self.rows).cpu().double(), torch.cat(self.losses)  # Apple's GPUs know no float64
            # Of a model that computes no numbers there is nothing to compare: training says so, with advice.
            off_N = (found_N - own_N)[found_N.isfinite() | own_N.isfinite()]
            if (size := _size(off_N)) <= EQUAL:
                return None, True
            if not size <= max(self._last_rounding, EQUAL) and not size <= ROUNDINGS * self._rounding:
                return f"change the loss of this model by {off_N.abs().mean():.2g} nats", False
            if size > self._last_rounding / 4 and self._leaks(losses, found_N):
                return "read each other in this model", False
        except Exception as error:  # of any kind: a model is called here in ways that it may not know
            return _reason(error), False
        return None, False

    def _leaks(self, losses: Losses, found_N: Tensor) -> bool:
        """Whether other tokens in the first row change the others' losses: in few bits that may be less than the rounding, but
        all else is computed as before."""
        first = self.rows[0]
        others = slice(len(first.tokens) - first.loss_from, None)
        beside_N = (losses([_reversed(first), *self.rows[1:]]).cpu().double() - found_N)[others]
        return _size(beside_N) > EQUAL + self._last_rounding / 10

    @cached_property
    def _last_rounding(self) -> float:
        return self._moved(-1)

    @cached_property
    def _rounding(self) -> float:
        count = range(len(self.rows))
        return max(math.sqrt(sum(self._moved(i) ** 2 for i in count) / len(count)) for _ in range(2))

    def _moved(self, i: int) -> float:
        """How far the losses of a row move if its embeddings move by their last bit: then every later number is rounded anew,
        as it may be in another layout."""

        def moved(module: torch.nn.Module, given: object, embeddings: Tensor) -> Tensor:
            return embeddings * (1 + self.ulp * torch.empty_like(embeddings).uniform_(-1, 1))

        hook = self.model.get_input_embeddings().register_forward_hook(moved)
        try:
            return _size(self._of(self.rows[i]) - self.losses[i])
        finally:
            hook.remove()

    def _of(self, row: Row) -> Tensor:
        tokens_BT = torch.tensor([row.tokens], device=self.device)
        logits_TV = self.model(input_ids=tokens_BT).logits[0, row.loss_from - 1 : -1]
        # In float64: torch's own sum over a vocabulary is off by 1e-5 in float32. By parts, since a vocabulary may be large.
        parts: Iterable[tuple[Tensor, Tensor]] = zip(
            logits_TV.split(64), tokens_BT[0, row.loss_from :].split(64), strict=True
        )
        entropy = torch.nn.functional.cross_entropy
        if self.device.type == "mps":  # Apple's GPUs know no float64
            parts = ((part.cpu(), targets.cpu()) for part, targets in parts)
        return torch.cat([entropy(part.double(), targets, reduction="none").cpu() for part, targets in parts])


def asked_rows(rows: Sequence[Row]) -> list[Row]:
    """The longest row, which may reach beyond a window, and the shortest, with another between them that begins like it.

    All that they do not share carries loss: what a row reads of its neighbour shows most at its first tokens.
    """
    by_length = sorted(rows, key=lambda row: len(row.tokens))
    short, longest = by_length[0], by_length[-1]
    chosen = [longest]
    if short is not longest:
        alike = (row for row in by_length[1:-1] if row.tokens[0] == short.tokens[0])
        if longest.tokens[0] != short.tokens[0] and (beside := next(alike, None)) is not None:
            chosen.append(beside)
        chosen.append(short)
    asked = []
    for row in chosen:
        group = [each for each in chosen if each.tokens[0] == row.tokens[0]]
        asked.append(Row(row.tokens, max(1, common_prefix(group)) if len(group) > 1 else 1))
    return asked


def _reversed(row: Row) -> Row:
    """Another row of the same length that shares the same prefix."""
    return Row([*row.tokens[: row.loss_from], *reversed(row.tokens[row.loss_from :])], row.loss_from)


def _first(choices: Sequence[str], objection: Callable[[str], str | None]) -> tuple[str, str]:
    """The first choice without an objection ("" if there is none), and the objection to the first of all."""
    first = ""
    for choice in choices:
        if (found := objection(choice)) is None:
            return choice, first
        first = first or found
    return "", first


def _reason(error: Exception) -> str:
    """An error as an objection; raises those that say nothing of the way in which a model was called."""
    if isinstance(error, UserError):
        raise error
    if is_out_of_memory(error):  # with two or three rows at a time: one had room
        return "need more memory than there is"
    return f"end in {type(error).__name__} in this model"


def _size(off_N: Tensor) -> float:
    """The root mean square."""
    return float(off_N.cpu().double().square().mean().sqrt()) if len(off_N) else 0.0


@contextmanager
def asking(model: torch.nn.Module) -> Iterator[None]:
    """Inside the `with` block the model is in eval mode; its mode and the random state are restored."""
    with kept_modes(model), kept_random_state(), torch.no_grad():
        model.eval()
        torch.manual_seed(0)
        yield


@contextmanager
def _watched(drawn: list[str]) -> Iterator[None]:
    """Adds a line to `drawn` if random numbers are drawn inside the `with` block."""
    before = random_state()
    yield
    if any(not torch.equal(state, before[device]) for device, state in random_state().items()):
        drawn.append("random numbers")


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
