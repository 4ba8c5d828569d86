"""Runs of a toy model that learned six answers, made once for each worker; nothing writes into them."""

import json
from pathlib import Path

import pytest

from byheart import cli
from sweep.toy import TEXT

TOWNS = {"Ada": "Bern", "Otto": "Graz", "Mia": "Lyon", "Karl": "Bonn", "Nora": "Oslo", "Emil": "Rome"}
ASKED = ("Where was {} born ?", "where is {} in the town of ?")
WORDS = (
    "learn", "documents=a.txt", "model.path=model", "expansion=file", "expansion.file.path=pairs.jsonl", "questions=exam.jsonl",
    "rows.replay=0", "evaluation=[recall]", "evaluation.recall.max_new_tokens=8", "trainer.precision=float32", "trainer.threads=1",
    "split.share=0", "split.at_least=0", "stopping.patience=null", "stopping.checks_per_epoch=1", "batch_size=4",
)  # fmt: skip
RUNS = {  # name -> what else it is trained with
    "lora": ("lr=1e-2", "epochs=60"),
    "full": ("adapter=full", "lr=1e-2", "epochs=20"),
    "plain": ("model.template=plain", "epochs=1"),
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory, toy_model) -> Path:
    """A folder with outputs/lora, outputs/full and outputs/plain, each with one run."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "a.txt").write_text(TEXT + "\n")
    (folder / "model").symlink_to(toy_model)
    pairs = [
        {"question": each.format(name), "answer": f"in the town of {town}"}
        for name, town in TOWNS.items()
        for each in ASKED
    ]
    exam = [{"question": f"{name} was born in the town of what ?", "answers": [town]} for name, town in TOWNS.items()]
    for name, lines in (("pairs", pairs), ("exam", exam)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, words in RUNS.items():
            assert cli.main([*WORDS, *words, f"name={name}", f"hydra.run.dir=outputs/{name}/1"]) == 0
    return folder


@pytest.fixture
def here(trained, monkeypatch) -> Path:
    monkeypatch.chdir(trained)
    return trained
