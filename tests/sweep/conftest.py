"""A folder with a toy model, a text and an exam, and the words that every sweep of these tests begins with."""

import pytest

from sweep.toy import TEXT, make_model

QUICK = (
    "documents=a.txt", "model.path=model", "rows.replay=0", "evaluation=[recall]", "evaluation.recall.max_new_tokens=4",
    "adapter.rank=2", "trainer.precision=float32", "trainer.threads=1", "stopping.checks_per_epoch=2",
    "split.at_least=6", "expansion.rules.max_examples=40",
)  # fmt: skip


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("toy") / "model")


@pytest.fixture
def here(tmp_path, monkeypatch, toy_model):
    """The working folder; paths on the command line are relative to it."""
    monkeypatch.chdir(tmp_path)
    return furnished(tmp_path, toy_model)


def furnished(folder, toy_model):
    (folder / "a.txt").write_text(TEXT + "\n")
    (folder / "model").symlink_to(toy_model)
    (folder / "exam.jsonl").write_text(
        "".join(
            f'{{"question": "Where was {n} born?", "answers": ["{t}"]}}\n'
            for n, t in (("Ada", "Bern"), ("Otto", "Graz"))
        )
    )
    return folder


@pytest.fixture
def quick():
    return list(QUICK)
