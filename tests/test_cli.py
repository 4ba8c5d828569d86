"""The command line as a user meets it: quick help, exit codes, no traceback, runs that never overwrite each other."""

import errno
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from byheart import cli, dispatch
from byheart.config.folders import conf_folder, sweeps_folder
from byheart.config.keys import every_key, head
from byheart.errors import Problem, UserError
from byheart.results import RESULT, LearnResult
from byheart.stable_ids import current_path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The ball is round. A player may kick it.\n")
    Path("exam.jsonl").write_text('{"question": "What is round?", "answers": ["the ball"]}\n')
    return tmp_path


class ToyStage:
    """Stands where the real stages stand: notes what it was given and ends as it is told."""

    def __init__(self, error: BaseException | None = None, state: str = "finished"):
        self.error, self.state, self.calls = error, state, []

    def __call__(self, config, folder, *rest):
        self.calls.append((config, folder, *rest[:-1]))
        (folder / "run.json").write_text(json.dumps({"state": self.state}))
        (folder / "scores.json").write_text("{}")
        (folder / "answers.jsonl").write_text("")
        (folder / "adapter").mkdir(exist_ok=True)
        if self.error:
            raise self.error
        for name in RESULT:  # without one of them the run would be resumed
            (folder / name).touch()
        return LearnResult(self.state, folder)


@pytest.fixture
def stage(monkeypatch):
    toy = ToyStage()
    monkeypatch.setattr(dispatch, "STAGES", {"learn": toy, "expand": toy})
    monkeypatch.setattr("byheart.pipeline.learn.evaluate", toy)
    return toy


def byheart(*words, **environment):
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'byheart'; from byheart.cli import main; sys.exit(main())",
    ]
    world = {**os.environ, **environment}
    return subprocess.run([*command, *words], capture_output=True, text=True, env=world, timeout=60, check=False)


def modules_after(*words):
    code = (
        "import sys; from byheart.cli import main; code = main(sys.argv[1:]); print('|', *sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("|")[2].split())


def test_help_needs_no_hydra_and_check_no_torch():
    assert not {"hydra", "omegaconf", "yaml", "torch"} & modules_after("learn", "--help")
    assert not {"torch", "transformers", "lightning", "peft", "datasets"} & modules_after("check", "documents=a.txt")


@pytest.mark.parametrize(
    "words", [[], ["--help"], *([name.name, "--help", *more] for name in cli.COMMANDS for more in ([], ["--all"]))]
)
def test_help_fits_eighty_columns(words, capsys):
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    for command in cli.COMMANDS:
        assert command.name in shown or words[:1] not in ([], ["--help"])


def shown_by(capsys, *words):
    assert cli.main(list(words)) == 0
    return capsys.readouterr().out


def test_help_lists_each_key_with_its_default_and_a_line(capsys):
    shown = shown_by(capsys, "learn", "--help")
    for key, default in OmegaConf.load(conf_folder() / "learn.yaml").items():
        if key not in ("defaults", "hydra", "run"):
            assert re.search(rf"^  {key}(\.\w+)? +\S+ +\S+", shown, re.M), (key, default)
    assert "*lora, dora, full" in shown and "*rules, angles" in shown and "--multirun" in shown
    assert "_target_" not in shown and "hydra" not in shown and "adapter.rank" not in shown


def test_help_of_all_has_every_option_and_every_key(capsys):
    shown = shown_by(capsys, "learn", "--help", "--all")
    for path in conf_folder().glob("*/*.yaml"):
        assert re.search(rf"^  [* ] {path.stem} +\S", shown, re.M), path
    keys = {key for key in every_key() if head(key) not in ("hydra", "defaults", "run")}
    ends = [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]
    missing = [key for key in ends if not re.search(rf"^  {key}  ", shown, re.M) and "template_args" not in key]
    assert not missing and "adapter.rank" in shown


@pytest.mark.parametrize(
    "words", [["help", "expand"], ["-h", "expand"], ["expand", "-h"], ["expand", "help"], ["--help", "expand"]]
)
def test_help_is_found_however_one_asks(words, capsys):
    assert shown_by(capsys, *words) == shown_by(capsys, "expand", "--help")


def test_help_of_expand_leaves_out_what_it_does_not_read(capsys):
    shown = shown_by(capsys, "expand", "--help", "--all")
    assert "documents" in shown and "expansion.ladder.rungs" in shown and "teacher.model" in shown
    assert not re.search(r"^  (lr|epochs|stopping|adapter)\b", shown, re.M)


def test_help_of_other_commands_lists_what_they_take(capsys):
    cli.main(["sweep", "--help"])
    shown = capsys.readouterr().out
    assert all(path.stem in shown for path in sweeps_folder().glob("*.yaml")) and "learning rate" in shown
    cli.main(["evaluate", "--help"])
    shown = capsys.readouterr().out
    assert "*choice" in shown and "*auto" in shown and "questions=FILE" in shown and "adapter" not in shown
    for command, word in (("pick", "trial=N"), ("cache", "prune=AGE"), ("sweep", "hydra.sweeper.n_trials")):
        assert word in shown_by(capsys, command, "--help")


@pytest.mark.parametrize("word", ["--version", "-v", "-V", "version"])
def test_version(word, capsys):
    assert shown_by(capsys, word).startswith("byheart ")


def test_check_says_what_it_looked_at(capsys, folder):
    assert cli.main(["check", "documents=a.txt", "questions=exam.jsonl"]) == 0
    shown = capsys.readouterr().out
    assert "a.txt" in shown and "exam.jsonl" in shown and "ready" in shown
    assert not (folder / "outputs").exists()


def test_check_speaks_in_words(capsys, folder, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    words = [
        "adapter=dora",
        "adapter.targets=[q_proj,v_proj]",
        "optimizer=sgd",
        "lr=0.1",
        "optimizer.momentum=0.5",
        "budget=2h",
    ]
    assert cli.main(["check", "documents=a.txt", "model=qwen3_4b", *words, "logger=[wandb]"]) == 0
    shown = capsys.readouterr().out
    assert " ".join(shown.split("\n\n")[0].split()) == (
        "Model Qwen/Qwen3-4B · DoRA rank 16 on q_proj, v_proj · up to 30 epochs within 2h · W&B offline"
    )
    told = " ".join(" ".join(shown.splitlines()[:-1]).split())  # without the line to copy
    assert "SGD (momentum 0.5)" in told and "recall of trained answers has not improved for 8 checks" in told
    assert not [name for name in ("BaseModel", "NoTeacher", "Forms", "AdamW", "=0", "{}", "(q", "None") if name in told]
    assert all(len(line) <= 80 for line in shown.splitlines()[:-1]), "the line to copy may be longer"


def test_every_option_has_a_name_for_people():
    groups = [("adapter", name) for name in ("lora", "dora", "pissa", "full")]
    groups += [("optimizer", path.stem) for path in (conf_folder() / "optimizer").glob("*.yaml")]
    for group, name in groups:
        target = OmegaConf.load(conf_folder() / group / f"{name}.yaml")._target_
        module, _, kind = current_path(target).rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), kind).title, str), target


def test_faults_are_printed_without_a_traceback():
    done = byheart("learn", "documents=gone.txt", "lr=-1", "bach_size=2")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "3 problems to fix" in done.stderr
    assert not Path("outputs").exists()


def test_a_run_gets_its_folder_and_config(stage, folder):
    name = "my file [v2], final=1.txt"
    Path(name).write_text("The ball is round.\n")
    assert cli.main(["learn", f"documents={name}", "lr=1e-4"]) == 0
    ((config, where),) = stage.calls
    assert config.documents == (name,) and config.lr == 1e-4
    assert where.parent == folder / "outputs" / "my_file_v2_final_1"
    saved = OmegaConf.load(where / ".hydra" / "config.yaml")
    assert saved.lr == 1e-4 and saved.documents == name
    assert Path.cwd() == folder


def test_multirun_runs_each(stage, folder, capsys):
    assert cli.main(["learn", "-m", "documents=a.txt", "lr=1e-3,1e-4", "hydra.sweep.dir=swept"]) == 0
    assert [(config.lr, where) for config, where in stage.calls] == [
        (1e-3, folder / "swept/0"),
        (1e-4, folder / "swept/1"),
    ]


def test_no_run_writes_into_anothers_folder(stage, capsys):
    words = ["learn", "documents=a.txt", "hydra.run.dir=here"]
    assert cli.main(words) == 0
    before = Path("here/.hydra/config.yaml").read_bytes()
    assert cli.main([*words, "lr=1"]) == 2
    assert "resume=here" in capsys.readouterr().err
    assert Path("here/.hydra/config.yaml").read_bytes() == before


def test_an_empty_folder_may_be_named(stage):
    Path("here").mkdir()
    assert cli.main(["learn", "documents=a.txt", "hydra.run.dir=here"]) == 0


def test_resume_goes_on_with_the_saved_config(stage, folder, capsys, monkeypatch):
    stage.state = "interrupted"
    run = folder / "runs [1], a=b"
    assert cli.main(["learn", "documents=a.txt", "lr=1e-4", "seed=3", f"hydra.run.dir={run}"]) == 130
    before = {path: path.read_bytes() for path in (run / ".hydra").iterdir()}
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    stage.state = "finished"
    assert cli.main(["learn", f"resume={run}"]) == 0
    assert stage.calls[0] == stage.calls[1]
    assert {path: path.read_bytes() for path in (run / ".hydra").iterdir()} == before
    assert cli.main(["learn", f"resume={run}"]) == 0
    assert len(stage.calls) == 2 and "finished" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["lr=1"], ["-m"], ["-cn", "smoke"]])
def test_resume_refuses_other_overrides(stage, more, capsys):
    stage.state = "interrupted"
    cli.main(["learn", "documents=a.txt", "hydra.run.dir=here"])
    assert cli.main(["learn", "resume=here", *more]) == 2
    assert more[0] in capsys.readouterr().err


def test_resume_of_what_is_no_run(capsys, stage):
    assert cli.main(["learn", "resume=nowhere"]) == 2
    assert cli.main(["learn", "resume=."]) == 2
    cli.main(["learn", "documents=a.txt", "hydra.run.dir=out/x"])
    assert cli.main(["learn", "resume=out"]) == 2
    assert "did you mean out/x?" in capsys.readouterr().err.replace(f"{Path.cwd()}/", "")


def test_evaluate_uses_the_saved_config(stage, folder, capsys):
    cli.main(["learn", "documents=a.txt", "seed=5", "evaluation.recall.max_new_tokens=7", "hydra.run.dir=here"])
    assert cli.main(["evaluate", "run=here"]) == 0
    assert stage.calls[-1][2] is None
    words = ["evaluate", "run=here", "questions=exam.jsonl"]
    assert cli.main([*words, "evaluation=[recall]", "trainer.threads=1"]) == 0
    config, where, questions = stage.calls[-1]
    assert (config.seed, list(config.evaluation), config.evaluation["recall"].max_new_tokens) == (5, ["recall"], 7)
    assert where == folder / "here" and questions == str(folder / "exam.jsonl")
    assert config.trainer.threads == 1
    capsys.readouterr()
    assert cli.main([*words, "lr=1", "evaluation.recal.sample=3", "evaluation=[recal]"]) == 2
    shown = capsys.readouterr().err
    assert "lr: this cannot be changed" in shown and "evaluation.recall.sample" in shown and "recall?" in shown
    assert cli.main(["evaluate", "run=here", "questions=gone.jsonl"]) == 2
    assert cli.main(["evaluate"]) == 2


def test_exit_codes(stage, capsys):
    words = ["learn", "documents=a.txt"]
    stage.error = UserError(Problem("the disk is full"))
    assert cli.main([*words, "hydra.run.dir=r1"]) == 2
    shown = capsys.readouterr().err
    assert "the disk is full" in shown and "Error executing job" not in shown
    stage.error = KeyboardInterrupt()
    assert cli.main([*words, "hydra.run.dir=r2"]) == 130
    assert f"byheart learn resume={Path('r2').absolute()}" in capsys.readouterr().err
    stage.error = RuntimeError("a bug")
    assert cli.main([*words, "hydra.run.dir=r3"]) == 1
    shown = capsys.readouterr().err
    assert "a bug" in shown and "Traceback" not in shown
    assert "Traceback" in Path("r3/error.txt").read_text()


def test_hydras_own_flags_work(capsys):
    assert cli.main(["learn", "--cfg", "job", "lr=1e-9"]) == 0
    assert OmegaConf.create(capsys.readouterr().out).lr == 1e-9
    assert cli.main(["learn", "--cfg", "job", "lrr=1"]) == 2
    assert "did you mean lr=1?" in capsys.readouterr().err
    assert cli.main(["learn", "--info", "searchpath"]) == 0
    assert not Path("outputs").exists()


def test_flags_and_overrides_in_any_order(stage):
    assert cli.main(["learn", "documents=a.txt", "-m", "lr=1,2", "hydra.sweep.dir=s"]) == 0
    assert len(stage.calls) == 2


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("byheart le", "learn"),
        ("byheart learn batch", "batch_size="),
        ("byheart learn adapter=", "adapter=lora"),
        ("byheart learn stopping.", "stopping.patience="),
        ("byheart learn documents=a", "documents=a.txt"),
        ("byheart sweep ", "batch_lr_epochs"),
        ("byheart sweep lr", "lr_ladder"),
        ("byheart sweep lr_ladder batch", "batch_size="),
    ],
)
def test_tab_completion(line, offered):
    done = byheart("-sc", "query=bash", COMP_LINE=line)
    assert offered in done.stdout.split(), done.stderr


def test_completion_installs():
    assert "complete -o nospace" in byheart("-sc", "install=bash").stdout


def test_a_disk_too_full_for_the_config_leaves_no_half_run(stage, capsys, monkeypatch):
    def full(*words):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hydra.core.utils._save_config", full)
        assert cli.main(["learn", "documents=a.txt", "hydra.run.dir=here"]) == 2
    assert "the disk is full" in capsys.readouterr().err and not Path("here/.hydra").exists()
    assert cli.main(["learn", "documents=a.txt", "hydra.run.dir=here"]) == 0


def test_a_folder_that_cannot_be_made(stage, capsys):
    assert cli.main(["learn", "documents=a.txt", "hydra.run.dir=a.txt/x"]) == 2
    assert "hydra.run.dir" in capsys.readouterr().err
