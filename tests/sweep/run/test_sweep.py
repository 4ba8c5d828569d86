"""Whole sweeps of a toy model through the real command line."""

import csv
import json
import random
import shlex
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from lxml import html

from byheart import cli
from byheart.config.folders import sweeps_folder
from sweep.toy import QUICK, furnished

SMALL = ["epochs=1,2", "batch_size=4,8", "lr=3e-3"]
LAUNCHERS = ("basic", "packed")
PROGRAM = "import sys; sys.argv[0] = 'byheart'; from byheart.cli import main; sys.exit(main())"


def sweep(*words, name="batch_lr_epochs"):
    return cli.main(["sweep", name, *words])


def answers(folder):
    """What a sweep answers, without when and where it was trained."""
    with (Path(folder) / "trials.csv").open() as file:
        lines = [dict(line) for line in csv.DictReader(file)]
    for line in lines:
        for key in ("trial", "seconds", "peak_memory_gib", "source"):
            line.pop(key)
    return lines


@pytest.fixture(scope="module")
def small(tmp_path_factory, toy_model):
    """A function of a launcher: where its small sweep was started, and what it said. It is swept once."""

    @cache
    def swept(launcher):
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as said:
            patch.chdir(furnished(tmp_path_factory.mktemp(launcher), toy_model))
            assert sweep(*QUICK, *SMALL, f"hydra/launcher={launcher}") == 0
            return Path.cwd(), said.getvalue()

    return swept


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_from_the_first_trial_to_the_report(small, quick, launcher, capsys, monkeypatch):
    here, shown = small(launcher)
    monkeypatch.chdir(here)
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    found = answers(folder)
    assert len(found) == 4, "two batch sizes, two numbers of epochs"
    assert len(list(folder.glob("*/adapter"))) == 2, "a number of epochs is no training of its own"
    best = json.loads((folder / "best.json").read_text())
    run = Path(best["folder"])
    assert best["values"][0] == min(float(line["val_loss"]) for line in found)
    assert json.loads((run / "run.json").read_text())["state"] == "finished"
    assert (run / "report.html").is_file() and (run / "scores.json").is_file() and not (run / "checkpoint").exists()
    page = (folder / "sweep.html").read_text()
    assert "<svg" in page and "http" not in page.replace("http-equiv", "") and "batch_size=4" in page
    told = html.fromstring(page)
    said = " ".join(told.xpath("//p[@class='result']")[0].text_content().split())
    number, value = best["trial"], best["values"][0]
    assert said.startswith(f"Trial {number} is the best: validation loss {value:.3f} at the end of epoch")
    assert (
        "of the next setting (trial" in said
        and "each setting had one seed" in said
        and "2 trials were completed." in said
    )
    rows = {
        row[0].text: [cell.text_content().split() for cell in row] for row in told.xpath("//*[@id='trials']//tbody/tr")
    }
    ends = {each: json.loads((folder / each / "outcome.json").read_text())["ends"] for each in rows}
    for each, cells in rows.items():
        reached = min(ends[each], key=lambda end: end["val_loss"])
        assert cells[2:4] == [[f"{reached['val_loss']:.4f}"], [f"{100 * reached['recall']:.0f}", "%"]]
    assert "In its own words:" in told.xpath("//p[@class='scored']")[0].text_content()
    steps = [line.text for line in told.xpath("//section[last()]//pre[@class='copy']")]
    assert (
        steps[0].startswith("byheart evaluate run=")
        and steps[2] == f"byheart pick outputs/sweeps/batch_lr_epochs-a trial={1 - number}"
    )
    assert all(f"    {step}\n" in shown for step in steps), "the terminal ends with the same lines"
    for step in (steps[1], steps[3]):
        assert cli.main(["check", *shlex.split(step)[2:]]) == 0
    assert f"epochs={best['overrides'][-1].partition('=')[2]}" in shown and "is the best" in shown
    assert sweep(*quick, *SMALL, f"hydra/launcher={launcher}") == 0
    assert "2 of them are there already" in capsys.readouterr().out
    assert answers(folder) == found
    assert cli.main(["check", "-cd", str(folder), "-cn", "best"]) == 0


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_by_default_trials_are_compared_by_bounded_loss_and_keep_the_epoch_that_it_chose(here, quick, launcher, capsys):
    words = [word for word in quick if not word.startswith("stopping.monitor")]
    assert sweep(*words, "lr=1e-3,3e-3", "batch_size=4", "epochs=3", f"hydra/launcher={launcher}") == 0
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    best = json.loads((folder / "best.json").read_text())
    assert best["values"][0] == min(float(line["bounded_loss"]) for line in answers(folder))
    assert "stopping.monitor=bounded_loss" in best["overrides"]
    with (Path(best["folder"]) / "curve.csv").open() as file:
        ends = {float(p["epoch"]): float(p["bounded_loss"]) for p in csv.DictReader(file) if float(p["epoch"]) % 1 == 0}
    training = json.loads((Path(best["folder"]) / "run.json").read_text())["training"]
    assert training["monitor"] == "bounded_loss" and training["chosen_epoch"] == min(ends, key=ends.get)


def test_a_budget_of_steps_is_each_trials(here, quick):
    assert sweep(*quick, "lr=1e-3,3e-3", "batch_size=4", "epochs=9", "budget=5") == 0
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    outcomes = [json.loads((folder / number / "outcome.json").read_text()) for number in "01"]
    assert [outcome["state"] for outcome in outcomes] == ["budget", "budget"]
    with (folder / "0/curve.csv").open() as file:
        assert [line["step"] for line in csv.DictReader(file)][-1] == "5"
    best = json.loads((folder / "best.json").read_text())
    assert "budget=5" in best["overrides"] and best["overrides"][-1] == "epochs=9"


def test_both_launchers_find_the_same(small):
    one, other = (answers(small(launcher)[0] / "outputs/sweeps/batch_lr_epochs-a") for launcher in LAUNCHERS)
    assert_same(one, other)


def test_what_is_trained_alone_is_what_a_run_trains(here, quick):
    assert sweep(*quick, "lr=1e-3,3e-3", "batch_size=4", "epochs=2", "hydra/launcher=basic") == 0
    assert cli.main(["learn", *quick, "lr=1e-3", "batch_size=4", "epochs=2", "hydra.run.dir=alone"]) == 0
    with (here / "outputs/sweeps/batch_lr_epochs-a/0/curve.csv").open() as one, Path("alone/curve.csv").open() as other:
        for a, b in zip(csv.DictReader(one), csv.DictReader(other), strict=True):
            assert (a["step"], a["train_loss"], a["val_loss"]) == (b["step"], b["train_loss"], b["val_loss"])


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_trial_that_fails_never_ends_the_sweep(here, quick, launcher, capsys):
    words = ["lr=1e-3,1e30", "batch_size=8", "epochs=2", "optimizer.clip=null", f"hydra/launcher={launcher}"]
    assert sweep(*quick, *words) == 0
    shown = capsys.readouterr().out
    assert "trial 1 failed (lr=1e+30)" in shown and "Lower lr" in shown
    assert "trial 0 is the best" in shown.lower()


def test_so_many_failures_in_a_row_do(here, quick, capsys):
    words = ["lr=1e29,1e30", "batch_size=8", "epochs=1", "optimizer.clip=null", "hydra.sweeper.max_failures=2"]
    assert sweep(*quick, *words) == 2
    assert "2 trials in a row failed" in capsys.readouterr().err


def test_trials_that_cannot_join_a_pack_train_by_themselves(here, quick, capsys):
    words = [word for word in quick if not word.startswith("adapter.")]
    assert cli.main(["learn", "-m", "hydra/sweeper=byheart_optuna", "hydra/launcher=packed", *words, "epochs=1",
                     "adapter=choice(lora,full)", "lr=1e-3,2e-3"]) == 0  # fmt: skip
    assert len(answers(here / "outputs/sweeps/a")) == 4


def test_models_are_compared_by_recall_and_form_packs_of_their_own(here, quick, capsys):
    (here / "other").symlink_to(here / "model")
    words = [
        *(word for word in quick if not word.startswith("model.")),
        "model.path=model,other",
        "lr=1e-3",
        "epochs=1",
    ]
    assert sweep(*words, "hydra.sweeper.objective=recall", name="base_models") == 0
    assert {line["model.path"] for line in answers(here / "outputs/sweeps/base_models-a")} == {"model", "other"}


def test_a_pruned_trial_is_complete_with_its_best(here, quick, capsys):
    words = ["lr=3e-3,2e-3,1e-3,1e-6,1e-7", "batch_size=8", "epochs=3", "hydra/launcher=basic"]
    pruner = ["hydra.sweeper.pruner._target_=optuna.pruners.MedianPruner", "+hydra.sweeper.pruner.n_startup_trials=2"]
    assert sweep(*quick, *words, *pruner) == 0
    found = answers(here / "outputs/sweeps/batch_lr_epochs-a")
    pruned = {line["lr"] for line in found if line["state"] == "pruned"}
    assert "1e-07" in pruned and "0.003" not in pruned and all(line["val_loss"] for line in found)


def test_the_ladder_stops_below_the_first_rough_rate(here, quick, capsys):
    words = ["lr=1e-4,1e-3,1e30,2e-3", "batch_size=8", "epochs=1", "optimizer.clip=null"]
    assert sweep(*quick, *words, name="lr_ladder") == 0
    assert "The highest smooth rate is lr=0.002" in capsys.readouterr().out


def test_a_falling_rate_is_trained_anew_for_each_number_of_epochs(here, quick):
    words = ["schedule=constant,cosine", "epochs=1,2", "batch_size=8"]
    assert sweep(*quick, *words, name="schedule") == 0
    folder = here / "outputs/sweeps/schedule-a"
    assert len(answers(folder)) == 4 and len(list(folder.glob("*/adapter"))) == 3


def test_examples_that_vary_are_judged_by_the_users_questions(here, quick, capsys):
    words = [*quick, "expansion.rules.usual=2,6", "epochs=1"]
    assert sweep(*words, name="expansion") == 2
    assert "questions=FILE" in capsys.readouterr().err
    assert sweep(*words, "questions=exam.jsonl", "dev=0.5", name="expansion") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rows.loss_on=answer,all"], "validation losses do not compare where rows.loss_on varies"),
        (["+bogus=1,2"], "bogus: there is no such key"),
        (["lr=interval(1,0.1)"], "ends must rise"),
        (["hydra.sweeper.params=null", "hydra.sweeper.study_name=x"], "nothing varies"),
        (["hydra.sweeper.storage=postgresql://u:secret@h/d"], "this address contains a password"),
        (["hydra.sweeper.trials=3"], "hydra.sweeper.trials"),
        (["name=a,b"], "name: this cannot vary"),
        (["budget=15m"], "budget: trials that train together have no time of their own"),
        (["budget=soon"], "budget: must be optimizer steps"),
        (["expansion.rules.max_examples=3"], "no example was held out"),
        (["hydra.sweeper.given=[{lr: 1}]"], "names just the keys that vary"),
        (["hydra.sweeper.pick=smooth", "lr=1e-3"], "but lr does not vary"),
        (["hydra.launcher.slots=0"], "hydra.launcher.slots: must be a whole number"),
        (["hydra.launcher.slots=many"], "hydra.launcher.slots: must be a whole number"),
        (["hydra.sweeper.storage=grpc://localhost:abc"], "the port is no number"),
        (["hydra.sweeper.seed=x", "hydra.sweeper.first=0"], "hydra.sweeper.seed: must be a whole number"),
        (["hydra.sweeper.expire_s=soon", "hydra.sweeper.roughest=2"], "hydra.sweeper.roughest: must be a number"),
        (["hydra.sweeper.study_name=a/../../b"], "hydra.sweeper.study_name: must be the name of one folder"),
    ],
)
def test_bad_input_is_said_before_the_first_trial(here, quick, words, said, capsys):
    assert sweep(*quick, *words) == 2
    assert said in capsys.readouterr().err
    assert not list(here.glob("outputs/sweeps/*/[0-9]*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.sweeper.storage=sqlite:////proc/nowhere/x.db"], "cannot be reached"),
        (["hydra.sweeper.storage_env=NOT_SET"], "not set"),
        (["hydra.sweeper.sampler._target_=optuna.samplers.Nope"], "Nope"),
    ],
)
def test_what_the_study_refuses_is_said_before_a_text_is_written(here, quick, words, said, capsys):
    assert said in refused(here, quick, words, capsys)


def test_other_settings_of_a_begun_study_are_refused_before_a_text_is_written(here, quick, capsys):
    assert sweep(*quick, *SMALL) == 0
    study = "the study batch_lr_epochs-a was begun with"
    assert f"seed: {study} 0" in refused(here, quick, ["seed=1"], capsys)
    assert f"hydra.sweeper.params lr: {study} nothing" in refused(here, quick, ["lr=1e-3,2e-3"], capsys)


def refused(here, quick, words, capsys):
    """What the screen says of a sweep that ends with exit code 2 and writes nothing."""
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    before = sorted(folder.rglob("*"))
    assert sweep(*quick, *SMALL, *words) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert sorted(folder.rglob("*")) == before
    return shown.err


def test_more_slots_than_memory(here, quick, capsys):
    assert sweep(*quick, *SMALL, "hydra.launcher.slots=100000000") == 2
    assert "hydra.launcher.slots: memory holds" in capsys.readouterr().err


def test_a_sweep_of_ones_own_and_one_that_is_not_there(here, quick, capsys):
    Path("sweeps").mkdir()
    text = (sweeps_folder() / "smoke.yaml").read_text().replace("choice(4,8)", "choice(8,16)")
    Path("sweeps/mine.yaml").write_text(text)
    assert sweep(*quick, name="mine") == 0
    assert {line["batch_size"] for line in answers(here / "outputs/sweeps/mine-smoke")} == {"8", "16"}
    assert sweep(name="mind") == 2 and "byheart carries" in capsys.readouterr().err
    assert cli.main(["sweep"]) == 2


def test_the_best_can_be_said_and_trained_without_the_sweeps_own_file(here, quick):
    """What only the YAML fixes is in the line too; `best.yaml` trains the very curve, past an upturn that the sweep ignored."""
    Path("mine").mkdir()
    Path("pairs [1].jsonl").write_text('{"question": "Who was born in Bern?", "answer": "Ada"}\n' * 2)
    fixed = [word for word in quick if word.startswith(("model.", "trainer.", "split.", "expansion.", "evaluation."))]
    Path("mine/mine.yaml").write_text(
        "defaults: [learn, override hydra/sweeper: byheart_optuna, override expansion: [rules, file],"
        " override evaluation: [recall], _self_]\n"
        "documents: [a.txt]\nrows: {replay: 0, loss_on: all}\nadapter: {rank: 2}\nstopping: {patience: 1}\n"
        'expansion: {file: {path: "pairs [1].jsonl"}}\n'
        "hydra: {mode: MULTIRUN, sweeper: {params: {lr: 'choice(1e-3,3e-2)', epochs: 'choice(1,3)'}}}\n"
    )
    words = [word for word in fixed if not word.startswith("evaluation=")]
    assert sweep(*words, name="mine/mine.yaml") == 0
    folder = Path("outputs/sweeps/mine-a")
    best = json.loads((folder / "best.json").read_text())
    assert {"documents=[a.txt]", "rows.loss_on=all", "expansion=[rules,file]"} <= set(best["overrides"])
    for again, command in (("line", best["overrides"]), ("file", ["-cd", str(folder), "-cn", "best"])):
        assert cli.main(["learn", *command, f"hydra.run.dir={again}"]) == 0
        with (Path(best["folder"]) / "curve.csv").open() as one, Path(again, "curve.csv").open() as other:
            curves = [[(p["epoch"], p["train_loss"], p["val_loss"]) for p in csv.DictReader(f)] for f in (one, other)]
        assert f"epochs={float(curves[1][-1][0]):g}" in best["overrides"]
        assert curves[0][: len(curves[1])] == curves[1]


def test_pick_scores_another_trial(here, quick, capsys):
    assert sweep(*quick, *SMALL) == 0
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    best = json.loads((folder / "best.json").read_text())["trial"]
    other = 1 - best
    assert cli.main(["pick", str(folder), f"trial={other}"]) == 0
    assert (folder / str(other) / "report.html").is_file()
    assert cli.main(["pick", str(folder), "trial=77"]) == 2 and cli.main(["pick", "nowhere"]) == 2


def start(*words):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed_and_finished(here, quick, launcher, moment):
    words = ["sweep", "batch_lr_epochs", *quick, "epochs=1,2", "batch_size=2,8", "lr=1e-3,3e-3"]
    words += [f"hydra/launcher={launcher}", f"hydra.sweeper.study_name=cut-{moment:.2f}"]
    process = start(*words)
    folder = here / f"outputs/sweeps/cut-{moment:.2f}"
    until = time.monotonic() + 60
    while not (folder / "0" / "curve.csv").is_file() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {file: file.stat().st_mtime_ns for file in folder.glob("*/outcome.json")}
    assert cli.main(words) == 0
    assert all(file.stat().st_mtime_ns == when for file, when in done.items()), "a finished trial was trained again"
    return answers(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, toy_model):
    """What the sweep answers that is not killed. The launchers find the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(furnished(tmp_path_factory.mktemp("undisturbed"), toy_model))
        assert sweep(*QUICK, "epochs=1,2", "batch_size=2,8", "lr=1e-3,3e-3", "name=whole") == 0
        return answers("outputs/sweeps/batch_lr_epochs-whole")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_killed_sweep_goes_on_to_the_same_table(here, quick, undisturbed, launcher):
    assert_same(killed_and_finished(here, quick, launcher, 0.7), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_killed_at_ten_random_moments(here, quick, undisturbed, launcher):
    for moment in (random.Random(7).uniform(0, 4) for _ in range(10)):
        assert_same(killed_and_finished(here, quick, launcher, moment), undisturbed)


def assert_same(found, whole):
    for a, b in zip(map(dict, found), map(dict, whole), strict=True):
        # Packed with other trials, rows are padded to other widths: float32 sums differ in the last places.
        assert float(a.pop("val_loss")) == pytest.approx(float(b.pop("val_loss")), rel=1e-3)
        assert a == b


@pytest.mark.slow
def test_two_sweepers_share_one_study(here, quick):
    words = [
        "sweep",
        "batch_lr_epochs",
        *quick,
        "epochs=1,2",
        "batch_size=1,2,4",
        "lr=1e-3,3e-3",
        "hydra/launcher=basic",
    ]
    both = [start(*words), start(*words)]
    assert [process.wait(timeout=200) for process in both] == [0, 0], both[0].stderr.read() + both[1].stderr.read()
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    assert len(answers(folder)) == 12 and len(list(folder.glob("*/adapter"))) == 6
