"""Halving by pausing, saving and full memory: whatever interrupts a packed trial, it ends as if nothing had."""

import csv
import json
from pathlib import Path

import pytest

from byheart import cli
from byheart.sweep.packed import slots as pack
from byheart.sweep.search.halving import Halving, Rungs
from byheart.training.multi_lora.trainer import PackedTrainer
from sweep.toy import QUICK, furnished

RATES = "lr=1e-5,3e-3,1e-4,1e-3"
WORDS = [RATES, "batch_size=8", "epochs=1,2,3"]
HALVING = "hydra.sweeper.halving={after:[1,2],keep:0.5}"


def sweep(quick, name, *words):
    assert cli.main(["sweep", "batch_lr_epochs", *quick, *WORDS, f"name={name}", *words]) == 0
    return Path(f"outputs/sweeps/batch_lr_epochs-{name}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, toy_model):
    """The undisturbed sweep that each disturbed one must equal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(furnished(tmp_path_factory.mktemp("whole"), toy_model))
        return sweep(QUICK, "whole").resolve()


def curve(folder):
    with (folder / "curve.csv").open() as file:
        return [(line["step"], float(line["train_loss"]), float(line["val_loss"])) for line in csv.DictReader(file)]


def outcomes(folder):
    return {file.parent.name: json.loads(file.read_text()) for file in folder.glob("*/outcome.json")}


def near(one, other):
    """Rows are padded to other widths beside other trials: float32 sums differ in the last places."""
    assert [step for step, *_ in one] == [step for step, *_ in other]
    assert [loss for _, *losses in one for loss in losses] == pytest.approx(
        [loss for _, *losses in other for loss in losses], rel=1e-3
    )


def test_the_winner_ran_its_length_and_a_pause_left_no_trace(whole, here, quick, capsys):
    halved = sweep(quick, "halved", HALVING, "hydra.launcher.slots=1")
    assert "halved: " in capsys.readouterr().out
    found = outcomes(halved)
    assert {each["state"] for each in found.values()} == {"finished", "pruned"}
    best = [json.loads((folder / "best.json").read_text()) for folder in (whole, halved)]
    assert best[0]["params"] == best[1]["params"] and found[str(best[1]["trial"])]["state"] == "finished"
    for number, outcome in found.items():
        near(curve(halved / number), curve(whole / number)[: len(curve(halved / number))])
        assert (halved / number / "adapter/adapter_model.safetensors").is_file()
        assert not (halved / number / "checkpoint").exists()
        if outcome["state"] == "pruned":
            assert "went on after epoch" in outcome["reason"] and len(outcome["ends"]) < 3
    with (halved / "trials.csv").open() as file:
        listed = {(line["trial"], line["epochs"]) for line in csv.DictReader(file)}
    assert listed == {(n, str(end["epoch"])) for n, each in found.items() for end in each["ends"]}, (
        "no epoch is invented"
    )
    assert cli.main(["pick", str(halved), f"trial={next(n for n, o in found.items() if o['state'] == 'pruned')}"]) == 0


@pytest.mark.parametrize("at", [1, 8])
def test_a_sweep_that_is_stopped_goes_on_where_its_packed_trials_stood(whole, here, quick, monkeypatch, at):
    """At step 1 nothing was validated yet: there is no curve to go on with, but there are weights."""
    ticked = pack.Pack._on_step

    def stopping(self, steps):
        self.scheduler.stop = self.scheduler.stop or min(step for step, _ in steps.values()) >= at
        return ticked(self, steps)

    with monkeypatch.context() as patch:
        patch.setattr(pack.Pack, "_on_step", stopping)
        assert cli.main(["sweep", "batch_lr_epochs", *quick, *WORDS, "name=cut"]) == 130
    cut = Path("outputs/sweeps/batch_lr_epochs-cut")
    saved = sorted(int(file.parent.parent.name) for file in cut.glob("*/checkpoint/packed.pt"))
    assert saved == [0, 1, 2, 3]
    first = []
    monkeypatch.setattr(
        pack.Pack, "_on_step", lambda self, steps: first.append(min(step for step, _ in steps.values()))
    )
    sweep(quick, "cut")
    assert first[0] == at + 1, "it began again"
    for number in range(4):
        near(curve(cut / str(number + 4)), curve(whole / str(number)))


def test_to_be_saved_on_the_way_changes_nothing(whole, here, quick, monkeypatch):
    monkeypatch.setattr(pack, "SAVE_S", 0.0)
    written = []
    save = pack.save_paused
    monkeypatch.setattr(pack, "save_paused", lambda folder, paused: (written.append(folder), save(folder, paused)))
    saved = sweep(quick, "saved")
    assert len(written) >= 4 * 3
    for number in "0123":
        near(curve(saved / number), curve(whole / number))


@pytest.mark.parametrize("bears", [2, 0])
def test_full_memory_is_met_with_fewer_slots_and_ends_no_sweep(here, quick, monkeypatch, capsys, bears):
    losses = PackedTrainer._losses

    def full(self, rows):
        if len({row.slot for row in rows}) > bears and max(len(self._active), 1) > bears:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return losses(self, rows)

    monkeypatch.setattr("byheart.sweep.packed.launcher.choose_slots", lambda *arguments: 4)
    monkeypatch.setattr(PackedTrainer, "_losses", full)
    code = cli.main(["sweep", "batch_lr_epochs", *quick, RATES, "batch_size=8", "epochs=1,2"])
    shown = capsys.readouterr()
    assert "out of memory with 4 slots: continuing with 2" in shown.out
    if bears:
        assert code == 0 and len(outcomes(Path("outputs/sweeps/batch_lr_epochs-a"))) == 4
    else:
        assert code == 2 and "lower batch_size" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.sweeper.halving={keep:0.5}"], "after which epochs"),
        (["hydra.sweeper.halving={after:[0],keep:0.5}"], "halving.after"),
        (["hydra.sweeper.halving={after:[1],keep:1}"], "halving.keep"),
        ([HALVING, "hydra/launcher=basic"], "they must train together"),
        ([HALVING, "hydra.sweeper.pruner._target_=optuna.pruners.MedianPruner"], "and no pruner"),
    ],
)
def test_what_halving_cannot_do_is_said(here, quick, words, said, capsys):
    assert cli.main(["sweep", "batch_lr_epochs", *quick, *WORDS, *words]) == 2
    assert said in capsys.readouterr().err


def test_the_best_of_a_rung_always_goes_on_and_the_share_is_kept():
    rungs = Rungs(Halving((1,), 0.5), "val_loss")
    assert [rungs.reaches(n, 1, value) for n, value in enumerate((3.0, 2.0, 4.0, 1.0))] == [True, True, False, True]
    assert rungs.next([2]) is None
    rungs.failed(3)
    rungs.failed(1)
    assert rungs.next([2]) == 2 and not rungs.paused


def test_more_is_better_where_recall_judges():
    rungs = Rungs(Halving((1,), 0.5), "recall")
    assert [rungs.reaches(n, 1, value) for n, value in enumerate((0.1, 0.5, 0.2))] == [True, True, False]
