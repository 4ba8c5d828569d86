"""Which rows a model says word for word, one by one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from byheart.model.memory import halving
from byheart.training.agreement import asking, find_path
from byheart.training.layout import Row, lay_out
from byheart.training.loss import token_scores
from byheart.training.validation import whole_rows

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

AT_ONCE = 16


def said_word_for_word(
    model: "PreTrainedModel | PeftModel", rows: Sequence[Row], layout: str, filler: int
) -> list[bool]:
    """Of each row, whether every token of its answer is the model's first choice: greedy decoding then says the answer."""
    if not rows:
        return []
    path = find_path(model, rows, layout, filler)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].tokens))  # alike in length: little padding
    device = next(model.parameters()).device

    def ask(at_once: int) -> list[bool]:
        found: list[bool] = []
        for _, batch in lay_out([rows[i] for i in order], path.layout, filler, at_once):
            right_N = token_scores(model, batch.to(device), path.head)[1]
            found += whole_rows(right_N, batch.rows.to(device)).tolist()
        return found

    with asking(model):
        found, _ = halving(min(AT_ONCE, len(rows)), ask)
    said = dict(zip(order, found, strict=True))
    return [said[i] for i in range(len(rows))]
