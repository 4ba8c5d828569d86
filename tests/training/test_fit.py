"""A whole training on a tiny real model: the same seed, a resume, the best epoch, divergence, and what is saved."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.errors import Diverged, UserError
from byheart.model.adapters.adapter import Full, Lora
from byheart.records import CurvePoint
from byheart.training.curve import read_curve
from byheart.training.job import Hooks, Paused, TrainJob, batches, stream
from byheart.training.layout import Row
from byheart.training.optimizer import AdamW
from byheart.training.state import TrainState
from byheart.training.stopping import Stopping, best_by, is_check
from byheart.training.trainer import Trainer

ROWS = [Row([1, 2, 3, 5 + i % 40, 7 + i % 30, 9 + i % 20, 2], 4) for i in range(22)]
CHOOSE = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(5)]


def tiny(adapter=None):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, attn_implementation="eager",
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    torch.manual_seed(1)
    return (adapter or Lora(rank=2, alpha=4)).attach(model)


def fit(folder, seed=0, epochs=3, lr=1e-2, model=None, keep_best=True, **hooks):
    train_job = TrainJob(ROWS, CHOOSE, 4, epochs, seed, "constant", "row_mean", 0)
    model = model or tiny()
    stopping = hooks.pop("stopping", Stopping(patience=None))
    return Trainer(device="cpu", precision="float32").fit(
        model, train_job, AdamW(lr=lr), stopping, folder, Hooks(**hooks), keep_best
    ), model


def kept_by(folder, model):
    """The weights that training in `folder` would keep after its newest check, by the names of those that `model` trains."""
    saved = torch.load(max(folder.glob("checkpoint/step-*/training.pt")), weights_only=True)["optimizer"]["means"]
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    back = AdamW().toward_base
    return {n: m.lerp(torch.zeros(()), back) if "lora_B" in n else m for n, m in zip(names, saved, strict=True)}


def numbers(curve):
    return [(p.step, p.epoch, p.rows_seen, p.train_loss, p.val_loss, p.lr) for p in curve]


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(tmp_path):
    curves = [numbers(fit(tmp_path / str(i), seed)[0].curve) for i, seed in enumerate((0, 0, 1))]
    assert curves[0] == curves[1] != curves[2]
    assert curves[0] == numbers(read_curve(tmp_path / "0" / "curve.csv"))
    assert len(curves[0]) == 12, "four checks an epoch"


@pytest.mark.parametrize("killed_at", [3, 7, 11])
def test_a_run_killed_anywhere_and_resumed_has_the_curve_and_weights_of_an_undisturbed_one(tmp_path, killed_at):
    whole, whole_model = fit(tmp_path / "whole")

    class Killed(Exception):
        pass

    def die(step, steps):
        if step == killed_at:
            raise Killed

    with pytest.raises(Killed):
        fit(tmp_path / "cut", on_step=die)
    resumed, resumed_model = fit(tmp_path / "cut")
    assert numbers(resumed.curve) == numbers(whole.curve)
    for a, b in zip(whole_model.parameters(), resumed_model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("file", ["training.pt", "state.json"])
@pytest.mark.parametrize("damage", ["halved", "junk", "folder"])
def test_where_the_newest_checkpoint_is_damaged_the_one_before_it_is_taken(tmp_path, file, damage):
    whole, whole_model = fit(tmp_path / "whole")
    seen, notes = [], []
    fit(tmp_path / "cut", on_step=lambda s, t: seen.append(s), stop_requested=lambda: len(seen) == 8)
    earlier, newest = sorted((tmp_path / "cut/checkpoint").glob("step-*"))
    content = (newest / file).read_bytes()
    (newest / file).unlink()
    half = len(content) // 2
    if damage == "folder":
        (newest / file).mkdir()
    else:
        (newest / file).write_bytes(content[:half] + (b"\xff" + content[half + 1 :] if damage == "junk" else b""))
    resumed, model = fit(tmp_path / "cut", on_note=notes.append)
    assert f"{newest / file}: this checkpoint cannot be loaded" in notes[0] and "the checkpoint before it" in notes[0]
    assert numbers(resumed.curve) == numbers(whole.curve)
    assert all(torch.equal(a, b) for a, b in zip(whole_model.parameters(), model.parameters(), strict=True))
    assert len([*(tmp_path / "cut/checkpoint").glob("step-*")]) == 1 and not earlier.exists()


def test_where_no_checkpoint_is_whole_the_folder_to_remove_is_named(tmp_path):
    seen = []
    fit(tmp_path, on_step=lambda s, t: seen.append(s), stop_requested=lambda: len(seen) == 8)
    for place in (tmp_path / "checkpoint").glob("step-*"):
        (place / "state.json").write_text("{}")
    with pytest.raises(UserError, match=r"state\.json: this checkpoint cannot be loaded") as refused:
        fit(tmp_path)
    assert f"remove the folder {tmp_path / 'checkpoint'};" in str(refused.value)


def test_a_finished_training_is_not_trained_again(tmp_path):
    fit(tmp_path)
    steps = []
    fit(tmp_path, on_step=lambda step, total: steps.append(step))
    assert steps == []


def test_a_requested_stop_ends_after_the_step_and_can_be_resumed(tmp_path):
    seen = []
    result, _ = fit(tmp_path, on_step=lambda s, t: seen.append(s), stop_requested=lambda: len(seen) == 8)
    assert (result.state, result.steps) == ("stopped", 8)
    assert fit(tmp_path)[0].state == "finished"


def test_the_model_holds_the_best_epoch_at_the_end(tmp_path):
    result, model = fit(tmp_path, epochs=6, lr=0.3, stopping=Stopping("val_loss", patience=4, checks_per_epoch=2))
    assert result.chosen_epoch == best_by("val_loss", result.curve)
    again, alone = fit(
        tmp_path / "alone",
        epochs=result.chosen_epoch,
        lr=0.3,
        stopping=Stopping("val_loss", patience=None, checks_per_epoch=2),
    )
    assert again.chosen_epoch == result.chosen_epoch
    for a, b in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b), "a run of N epochs contains every shorter one"


def test_why_no_epoch_was_chosen_is_said(tmp_path):
    nothing_learned = fit(tmp_path / "learned", epochs=1, lr=1e-9)[0]
    assert nothing_learned.notes == (
        "no epoch could be chosen, since recall of trained answers stayed at 0: the adapter is that of the last step",
    )
    stopped = fit(tmp_path / "stopped", stop_requested=lambda: True)[0]
    assert "since the first epoch was not ended" in stopped.notes[0]
    assert fit(tmp_path / "loss", epochs=1, lr=1e-9, stopping=Stopping("val_loss", patience=None))[0].notes == ()


def test_only_a_check_whose_weights_are_kept_can_be_chosen_when_training_goes_on(tmp_path):
    """A budget ended it within an epoch, or another monitor chose: the best by today's monitor may be gone."""

    def point(step, loss):
        return CurvePoint(step, step / 6, 4 * step, None, loss, None, 0.1, 0.0, 0.0)

    past, train_job = (
        (point(6, 3.0), point(12, 1.0), point(17, 2.0)),
        TrainJob(ROWS, CHOOSE, 4, 5, 0, "constant", "row_mean", 0),
    )
    for kept, later, chosen in (("2.83333", 2.5, 17 / 6), ("2.83333", 1.5, 3), ("2", 1.5, 2), ("", 2.5, 3)):
        start = Paused(17, past, kept=frozenset({kept} - {""}))
        state = TrainState(train_job, AdamW(), Stopping("val_loss"), tmp_path, start)
        state.step, state.curve = 18, [*past, point(18, later)]
        assert state.best_epoch == chosen and state.is_best == (chosen == 3)
    packed = TrainState(train_job, AdamW(), Stopping("val_loss"), tmp_path, Paused(17, past))
    assert packed.best_epoch == 2, "a pack holds the best weights itself"


def test_trained_afresh_for_so_many_epochs_it_holds_the_last_ones_weights(tmp_path):
    """`retrain=cosine` after epoch 2 was chosen means two epochs, even where its own loss liked the first better."""
    options = {"epochs": 6, "lr": 0.3, "stopping": Stopping("val_loss", patience=None, checks_per_epoch=2)}
    best, best_model = fit(tmp_path / "best", **options)
    last, last_model = fit(tmp_path / "last", keep_best=False, **options)
    assert best.chosen_epoch < 6 and last.chosen_epoch is None and not last.notes
    assert numbers(best.curve) == numbers(last.curve)
    kept = kept_by(tmp_path / "last", last_model)
    assert kept and all(torch.equal(last_model.get_parameter(name), mean) for name, mean in kept.items())
    assert not all(torch.equal(a, b) for a, b in zip(best_model.parameters(), last_model.parameters(), strict=True))


def test_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    model = tiny(Full())
    with torch.no_grad():
        model.lm_head.weight[3] = math.nan
    with pytest.raises(Diverged, match="Lower lr"):
        fit(tmp_path, model=model)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_disk_that_fills_during_training_leaves_the_last_whole_checkpoint(tmp_path, monkeypatch):
    real = Path.open

    def fill_the_disk(step, steps):
        def to_nowhere(self, *args, **kwargs):
            return real(Path("/dev/full") if self.name == "training.pt" else self, *args, **kwargs)

        if step == 5:
            monkeypatch.setattr(Path, "open", to_nowhere)

    with pytest.raises(UserError, match="the disk is full"):
        fit(tmp_path / "cut", on_step=fill_the_disk)
    (kept,) = (tmp_path / "cut" / "checkpoint").iterdir()
    assert kept.name.startswith("step-")
    monkeypatch.undo()
    assert numbers(fit(tmp_path / "cut")[0].curve) == numbers(fit(tmp_path / "whole")[0].curve)


def test_a_sum_over_targets_is_not_taken_for_divergence(tmp_path):
    train_job = TrainJob(ROWS, CHOOSE, 16, 2, 0, "constant", "sum", 0)
    trainer = Trainer(device="cpu", precision="float32")
    assert trainer.fit(tiny(), train_job, AdamW(lr=1e-3), Stopping(patience=None), tmp_path).state == "finished"


def test_checkpoints_hold_no_base_weights(tmp_path):
    fit(tmp_path)
    saved = torch.load(next(tmp_path.glob("checkpoint/step-*/training.pt")), weights_only=True)
    trained = sum(p.numel() for p in tiny().parameters() if p.requires_grad)
    assert sum(t.numel() for t in saved["optimizer"]["masters"]) == trained
    assert len(list(tmp_path.glob("checkpoint/step-*"))) == 1, "older ones are dropped"


def test_a_saved_adapter_gives_the_same_logits_through_peft(tmp_path):
    from peft import PeftModel

    _, model = fit(tmp_path)
    model.save_pretrained(tmp_path / "adapter")
    torch.manual_seed(0)
    base = tiny().unload()
    loaded = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    tokens = torch.tensor([ROWS[0].tokens])
    assert torch.allclose(loaded(input_ids=tokens).logits, model.eval()(input_ids=tokens).logits, atol=1e-6)


@given(count=st.integers(1, 60), size=st.integers(1, 9), done=st.integers(0, 40), seed=st.integers(0, 5))
def test_every_row_comes_once_an_epoch_and_a_resumed_stream_is_the_rest(count, size, done, seed):
    assert sorted(i for batch in batches(count, size, 1, seed) for i in batch) == list(range(count))
    whole = list(stream(count, size, 3, seed))
    assert list(stream(count, size, 3, seed, min(done, len(whole)))) == whole[done:]


@given(per_epoch=st.integers(1, 50), checks=st.integers(1, 6))
def test_checks_fall_evenly_and_the_last_at_the_epochs_end(per_epoch, checks):
    due = [step for step in range(1, per_epoch + 1) if is_check(step, per_epoch, checks)]
    assert len(due) == min(per_epoch, checks) and due[-1] == per_epoch


def points(losses, per_epoch=2):
    return [CurvePoint(i, i / per_epoch, i, 1.0, loss, None, 1e-3, 0.0, 0.0) for i, loss in enumerate(losses, start=1)]


def test_an_upturn_is_seen_and_noise_is_not():
    stopping = Stopping("val_loss", patience=3, tolerance=0.02, checks_per_epoch=2)
    assert not stopping.turned(points([3, 2.5, 2.0, 2.01, 1.9, 1.91, 1.88]))
    assert not stopping.turned(points([3, 2.0, 2.6, 1.9, 2.4, 1.8, 2.3, 1.7]))
    assert stopping.turned(points([3, 2.5, 2.0, 2.2, 2.4, 2.6]))
    assert not Stopping("val_loss", patience=None).turned(points([1, 2, 3, 4, 5, 6, 7]))
    loss = Stopping("val_loss")
    assert loss.still_improving(points([3, 2.5, 2.0, 2.2, 1.7]))
    assert not loss.still_improving(points([3, 2.5, 2.0, 2.2, 2.1])) and not loss.still_improving(points([3]))


def shares(values, monitor, per_epoch=2):
    return [replace(p, **{monitor: v}) for p, v in zip(points([None] * len(values), per_epoch), values, strict=True)]


def test_what_no_longer_improves_ends_a_training_and_what_has_not_begun_does_not():
    stopping = Stopping("token_accuracy", patience=3, tolerance=0.01, checks_per_epoch=2)
    assert stopping.turned(shares([0.2, 0.5, 0.7, 0.7, 0.7, 0.7, 0.7], "token_accuracy"))
    assert not stopping.turned(shares([0.2, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7], "token_accuracy"))
    assert not stopping.turned(shares([0.0] * 9, "token_accuracy"))
    bounded = Stopping("bounded_loss", patience=3, checks_per_epoch=2)
    assert bounded.turned(shares([1.5, 1.0, 0.9, 0.9, 0.9, 0.9], "bounded_loss")), "it need not turn upward"
    assert not bounded.turned(shares([1.5, 1.3, 1.1, 1.0, 0.9, 0.8], "bounded_loss"))


def test_recall_of_trained_answers_is_taken_over_an_epoch():
    """Each check tells of other rows: one easy quarter of an epoch is no best epoch."""
    curve = shares([0.0, 0.2, 0.3, 0.9, 0.6, 0.7, 0.7, 0.7], "train_recall")
    assert best_by("train_recall", curve) == 4 and [p.epoch for p in curve if float(p.epoch).is_integer()] == [
        1,
        2,
        3,
        4,
    ]
    full = shares([0.5, 0.9, 1.0, 1.0, 1.0, 1.0], "train_recall")
    assert best_by("train_recall", full) == 2, "of equals the earlier, which has forgotten less"
    assert not Stopping(checks_per_epoch=2).still_improving(full)
    assert Stopping(checks_per_epoch=2).still_improving(shares([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "train_recall"))


def test_loss_and_recall_may_choose_different_epochs():
    curve = [
        CurvePoint(i, i, i, 1.0, loss, recall, 1e-3, 0.0, 0.0)
        for i, loss, recall in ((1, 2.0, 0.1), (2, 1.5, 0.3), (3, 1.7, 0.4))
    ]
    assert (best_by("val_loss", curve), best_by("recall", curve)) == (2, 3)
    flat = [replace(point, recall=0.0) for point in curve]
    assert best_by("recall", flat) is None  # what never rose prefers no epoch


def test_schedules_end_where_they_should():
    for schedule, end in (("constant", 1e-3), ("linear", 0.0), ("cosine", 0.0)):
        assert AdamW(lr=1e-3).rate(0, 10, schedule) == 1e-3
        assert AdamW(lr=1e-3).rate(10, 10, schedule) == pytest.approx(end)
    assert AdamW(lr=1e-3, warmup=0.5).rate(0, 10, "constant") == pytest.approx(2e-4)
