"""What validation tells for the price of a forward pass is what generating would tell."""

from pathlib import Path

import torch
from test_fit import CHOOSE, ROWS, tiny

from byheart.model.adapters.adapter import Full
from byheart.training.job import TrainJob
from byheart.training.layout import Row
from byheart.training.loss import token_scores
from byheart.training.module import SFTModule
from byheart.training.optimizer import AdamW, MasterStep
from byheart.training.state import TrainState
from byheart.training.stopping import Stopping


def module(model):
    masters = MasterStep([p for p in model.parameters() if p.requires_grad], AdamW(lr=3e-2))
    state = TrainState(TrainJob(ROWS, [], 4, 1, 0, "constant", "row_mean", 0), AdamW(), Stopping(), Path())
    return SFTModule(model, masters, state)


def greedily(model, row: Row):
    """What the model says after the row's prompt, as many tokens as its answer has."""
    tokens = list(row.tokens[: row.loss_from])
    while len(tokens) < len(row.tokens):
        tokens.append(int(model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
    return tokens[row.loss_from :]


def test_recall_is_the_exact_match_of_greedy_decoding():
    torch.manual_seed(0)
    learner = module(tiny(Full()))
    taught, rows = ROWS[:8], [*ROWS[:8], *CHOOSE]
    shares = []
    for _ in range(60):
        for start in range(0, len(taught), 4):
            loss = sum(
                (token_scores(learner.model, part.batch)[0] * part.weights).sum()
                for part in learner._parts(taught[start : start + 4], "row_mean", 4)
            )
            loss.backward()
            learner.masters.step(3e-2)
        with torch.no_grad():
            said = [greedily(learner.model.eval(), row) == row.tokens[row.loss_from :] for row in rows]
        found = learner.validate(rows, rows_at_once=4)
        assert abs(found.recall - sum(said) / len(rows)) < 1e-6
        assert found.recall <= found.token_accuracy <= 1
        shares.append(found.recall)
        if 0.2 < shares[-1] < 1:
            return
    raise AssertionError(f"the toy never knew a part of its rows: {shares}")


def test_parts_of_the_rows_add_up_to_the_whole():
    learner = module(tiny())
    whole, parts = (learner.validate([*ROWS, *CHOOSE], rows_at_once=size) for size in (64, 3))
    for name in ("loss", "recall", "token_accuracy"):
        assert abs(getattr(whole, name) - getattr(parts, name)) < 1e-6
