"""Recall by kind of question over the epochs: what is measured, when, and that training is the same with and without it."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.model.adapters.adapter import Lora
from byheart.training.job import Hooks, TrainJob
from byheart.training.kinds import FORWARD, GENERAL, SHARE, KindCurve, KindPoint, read_kinds, write_kinds
from byheart.training.layout import Row
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

ROWS = [Row([1, 2, 3, 5 + i % 40, 7 + i % 30, 9 + i % 20, 2], 4) for i in range(40)]
OTHERS = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(5)]
KINDS = {"trained_wording": ROWS[:1], "heldout_wording": OTHERS[:3], GENERAL: [Row([1, 9, 8, 7], 1)]}


def fit(folder, kinds=KINDS, epochs=3, lr=5e-2, rows=ROWS, **hooks):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, attn_implementation="eager",
    )  # fmt: skip
    model = Lora(rank=2, alpha=4).attach(LlamaForCausalLM(config))
    job = TrainJob(rows, OTHERS[:3], 8, epochs, 0, "constant", "row_mean", 0, kinds=kinds)
    options = AdamW(lr=lr), Stopping(patience=None, checks_per_epoch=2), folder, Hooks(**hooks)
    return Trainer(device="cpu", precision="float32").fit(model, job, *options), model


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, *fit(folder)


def test_each_kind_is_measured_before_training_and_at_the_ends_of_epochs(whole):
    folder, result, _ = whole
    points = read_kinds(folder / "kinds.csv")
    assert [(p.step, p.epoch, p.kind) for p in points] == [(5 * e, e, kind) for e in range(4) for kind in KINDS]
    assert {p.kind: p.count for p in points} == {"trained_wording": 1, "heldout_wording": 3, GENERAL: 1}
    assert all((p.recall is None) == (p.kind == GENERAL) for p in points)
    first, last = (next(p for p in points if p.epoch == epoch) for epoch in (0, 3))
    assert last.loss < first.loss and first.recall <= last.recall
    held_out = [p for p in points if p.kind == "heldout_wording"][-1]
    assert (held_out.loss, held_out.recall) == (pytest.approx(result.curve[-1].val_loss), result.curve[-1].recall)


def test_training_is_the_same_with_and_without(whole, tmp_path):
    _, one, with_kinds = whole
    two, without = fit(tmp_path / "without", {})
    assert [(p.step, p.train_loss, p.val_loss, p.recall) for p in one.curve] == [
        (p.step, p.train_loss, p.val_loss, p.recall) for p in two.curve
    ]
    assert all(map(torch.equal, with_kinds.parameters(), without.parameters()))
    assert not (tmp_path / "without" / "kinds.csv").exists()


def test_a_killed_training_goes_on_with_its_file(whole, tmp_path):
    def die(step, steps):
        if step == 7:
            raise KeyError

    with pytest.raises(KeyError):
        fit(tmp_path / "cut", on_step=die)
    fit(tmp_path / "cut")
    assert (tmp_path / "cut" / "kinds.csv").read_text() == (whole[0] / "kinds.csv").read_text()


def test_an_end_within_an_epoch_is_measured(tmp_path):
    seen = []
    fit(tmp_path, on_step=lambda s, t: seen.append(s), out_of_time=lambda: len(seen) == 7)
    assert [p.epoch for p in read_kinds(tmp_path / "kinds.csv")[:: len(KINDS)]] == [0, 1, 1.4]


@pytest.mark.parametrize(("read", "epochs"), [(0.1, 30), (0.1, 300), (1, 30), (10, 60)])
def test_no_more_than_a_twentieth_of_the_time_is_spent_and_few_points_are_taken(tmp_path, read, epochs):
    rows = [ROWS[0]] * 100
    job = TrainJob(rows, [], 10, epochs, 0, "constant", "row_mean", 0, kinds={"some": rows[:1] * round(100 * read)})
    curve = KindCurve(job, tmp_path, 0)
    measured = []
    for epoch in range(epochs + 1):
        if curve.due(epoch, ends=False):
            curve.record(10 * epoch, epoch, lambda some, reduction: (1.0, 0.5))
            measured.append(epoch)
    assert measured[0] == 0 and len(measured) <= 26
    assert len(measured) <= 14 or epochs > 100
    assert FORWARD * read * (len(measured) - 1) <= SHARE * epochs * 1.001
    assert not curve.due(epochs + 0.5, ends=False)
    assert curve.due(epochs + 0.5, ends=True)


def test_a_damaged_file_is_begun_anew(tmp_path):
    points = [KindPoint(0, 0.0, GENERAL, None, 3, 2.5), KindPoint(5, 1.0, "trained_wording", 0.5, 24, 0.25)]
    write_kinds(tmp_path / "kinds.csv", points)
    assert read_kinds(tmp_path / "kinds.csv") == points
    for text in ("", "step,epoch\n1,2\n", "step,epoch,kind,recall,count,loss\nx,0,a,,1,1\n"):
        (tmp_path / "kinds.csv").write_text(text)
        assert read_kinds(tmp_path / "kinds.csv") == []
    assert read_kinds(tmp_path / "none.csv") == []
