"""What only the loaded model tells, and runs whose files were damaged: exit code 2, with a fix that works."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from byheart.cli import main
from byheart.pipeline import learn
from byheart.report.page import write_page
from byheart.store import read_json
from teacher.chat_server import ChatServer, echo
from tiny_folder import change, write_model

PLAIN = ["evaluation=recall", "rows.replay=0", "epochs=1", "batch_size=32", "trainer.precision=float32"]
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny model."""
    root = tmp_path_factory.mktemp("runs")
    (root / "rules.md").write_text("# Club Rules\n\nThe club room opens at 9. Members pay 20 euros a year.\n")
    model = write_model(root / "tiny")
    words = [f"documents={root / 'rules.md'}", f"model.path={model}", f"hydra.run.dir={root / 'run'}"]
    assert main(["learn", *words, *PLAIN]) == 0
    return root / "run"


def cut(name: str) -> Damage:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-50])


def put(name: str, text: str) -> Damage:
    return lambda run: (run / name).write_text(text)


def halved_lines(name: str) -> Damage:
    def halve(run: Path) -> None:
        lines = (run / name).read_text().splitlines(keepends=True)
        (run / name).write_text("".join(lines[: len(lines) // 2]))

    return halve


def folder(name: str) -> Damage:
    def replace(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return replace


def gone(name: str) -> Damage:
    return lambda run: (run / name).unlink()


DAMAGED: dict[str, tuple[Damage, str, str]] = {
    "adapter cut off": (cut("adapter/adapter_model.safetensors"), "is cut off", "train again"),
    "adapter a pointer": (put("adapter/adapter_model.safetensors", "version https://git-lfs"), "LFS pointer", "copy it again"),
    "adapter gone": (gone("adapter/adapter_model.safetensors"), "lacks adapter_model.safetensors", "train again"),
    "adapter's config": (put("adapter/adapter_config.json", "{"), "adapter_config.json is not valid JSON", "train again"),
    "adapter's config gone": (gone("adapter/adapter_config.json"), "lacks adapter_config.json", "train again"),
    "adapter of another rank": (lambda run: change(run / "adapter/adapter_config.json", r=3), "size mismatch for", "train again"),
    "examples": (cut("examples.jsonl"), "examples.jsonl", "remove it, then: byheart learn"),
    "examples cut between lines": (halved_lines("examples.jsonl"), "that other files name are not in it", "byheart learn"),
    "examples a folder": (folder("examples.jsonl"), "a folder lies where this file belongs", "byheart learn"),
    "examples gone": (gone("examples.jsonl"), "examples.jsonl is missing", "copy the file again"),
    "split": (put("split.json", "[]"), "it holds no JSON object", "remove it"),
    "config": (put(".hydra/config.yaml", ""), "not the config of a run", "start a new run"),
    "place": (put(".hydra/hydra.yaml", "a: ["), "cannot be read", "remove it"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_run_is_not_scored(name, finished, tmp_path, capsys):
    damage, what, fix = DAMAGED[name]
    run = shutil.copytree(finished, tmp_path / "run")
    damage(run)

    assert main(["evaluate", f"run={run}"]) == 2

    said = capsys.readouterr().err
    assert what in said
    assert fix in said
    assert str(run) in said


def stopped(finished: Path, to: Path) -> Path:
    """The run as a kill leaves it after the last step of training."""
    run = shutil.copytree(finished, to)
    change(run / "run.json", state="running")
    (run / "scores.json").unlink()
    shutil.rmtree(run / "adapter")
    return run


RESUMED: dict[str, tuple[Damage, str, str]] = {
    "tensors cut off": (lambda run: cut(tensors(run))(run), "this checkpoint cannot be loaded", "checkpoint"),
    "no tensors": (lambda run: gone(tensors(run))(run), "this checkpoint cannot be loaded", "checkpoint"),
    "record": (put("run.json", "{"), "run.json: this file is damaged", "run.json"),
    "answers": (
        put("scored/untuned.jsonl", "{"),
        "untuned.jsonl:1: this file is damaged: this line is not a Scored",
        "scored/untuned.jsonl",
    ),
    "split": (put("split.json", "{"), "split.json: this file is damaged", "split.json"),
    "facts": (cut("facts.jsonl"), "facts.jsonl", "facts.jsonl"),
    "rows": (cut("rows/train.jsonl"), "train.jsonl", "rows/train.jsonl"),
    "ledger": (put("ledger.json", "[]"), "ledger.json: this file is damaged", "ledger.json"),
}


def tensors(run: Path) -> str:
    return str(next(run.glob("checkpoint/step-*/training.pt")).relative_to(run))


@pytest.mark.parametrize("name", RESUMED)
def test_a_damaged_run_continues_once_the_fix_was_followed(name, finished, tmp_path, capsys):
    damage, what, to_remove = RESUMED[name]
    run = stopped(finished, tmp_path / "run")
    damage(run)

    assert main(["learn", f"resume={run}"]) == 2

    said = capsys.readouterr().err
    assert what in said
    assert "remove" in said
    remove = run / to_remove
    shutil.rmtree(remove) if remove.is_dir() else remove.unlink()
    assert main(["learn", f"resume={run}"]) == 0
    assert (run / "scores.json").is_file()


def test_a_run_is_finished_once_its_page_is_there(finished, tmp_path, capsys, monkeypatch):
    """Killed before its page, a run makes it on resume; so does one whose page was lost."""
    run, seen = shutil.copytree(finished, tmp_path / "run"), []
    (run / "report.html").unlink()

    def write(folder: Path, state: str) -> None:
        seen.append((read_json(folder / "run.json")["state"], state))
        write_page(folder, state)

    monkeypatch.setattr(learn, "write_page", write)
    assert main(["learn", f"resume={run}"]) == 0
    assert seen == [("running", "finished")]
    assert (run / "report.html").is_file() and read_json(run / "run.json")["state"] == "finished"
    assert main(["learn", f"resume={run}"]) == 0
    assert "this run is finished" in capsys.readouterr().out and len(seen) == 1


@pytest.mark.parametrize(
    ("words", "changes", "key", "what"),
    [
        ([], {"hidden_act": "foo"}, "model.path", "cannot be loaded: KeyError: 'foo'"),
        ([], {"intermediate_size": 64}, "model.path", "has weights of another size for"),
        ([], {"num_attention_heads": 3, "head_dim": None}, "model.path", "not a multiple of the number of attention"),
        (["adapter.targets='.*mlp.*'"], {}, "adapter.targets", "it means a LlamaMLP, which is no layer"),
    ],
)  # fmt: skip
def test_no_teacher_is_paid_for_a_model_that_cannot_be_trained(
    words, changes, key, what, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    model = write_model(tmp_path / "tiny")
    change(model / "config.json", **changes)
    document = tmp_path / "rules.md"
    document.write_text("The club room opens at 9. Members pay 20 euros a year.")
    with ChatServer(echo) as server:
        asked = ["expansion=ladder", "teacher=openai", f"teacher.base_url={server.url}", "teacher.model=toy"]
        place = [f"documents={document}", f"model.path={model}", f"hydra.run.dir={tmp_path / 'run'}"]

        assert main(["learn", *place, *asked, *PLAIN, *words]) == 2

        assert server.calls == []
    said = capsys.readouterr().err
    assert f"{key}: " in said
    assert what in said
