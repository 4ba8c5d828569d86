"""Commands killed at random moments and begun again as the guides say: nothing is lost, nothing paid twice, the end is the same.

`make faults KILLS=300` tries so many kills, in turn over the commands. SEED chooses other moments.
"""

import csv
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from byheart.store import read_json
from expansion.scripted import well
from expansion.test_ladder import CLUB
from faults.warm import begun, called
from sweep.toy import QUICK, furnished, make_model
from teacher.chat_server import Call, ChatServer, Say, answer

KILLS, SEED = int(os.environ.get("KILLS", "300")), os.environ.get("SEED", "0")
AT_ONCE = 2  # requests under way at the teacher: so many may be asked again
SIGNALS = [signal.SIGKILL] * 6 + [signal.SIGTERM] * 2 + [signal.SIGINT] * 2
ENDS = {0, -9, -15, -2, 130, 143}
WHEN = {"seconds", "date", "time", "tokens_per_second", "peak_memory_gib", "peak_memory", "source", "folder", "trial"}
TOWNS = {"Ada": "Bern", "Otto": "Graz", "Mia": "Lyon", "Karl": "Bonn", "Nora": "Oslo", "Emil": "Rome"}
TOY = tuple(word for word in QUICK if not word.startswith(("adapter", "split", "expansion", "stopping.checks")))
End = dict[str, Any]  # what must be equal


def files(folder: Path, *names: str) -> End:
    return {name: (folder / name).read_bytes() for name in names}


def table(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return [{key: value for key, value in row.items() if key not in WHEN} for row in csv.DictReader(lines)]


def trained(folder: Path) -> End:
    assert read_json(folder / "run.json")["state"] == "finished"
    assert (folder / "report.html").stat().st_size > 1000
    (weights,) = (folder / "adapter").glob("*.safetensors")
    names = ("scores.json", "answers.jsonl", "examples.jsonl", "split.json", "ledger.json")
    return {"weights": weights.read_bytes(), "curve": table(folder / "curve.csv"), **files(folder, *names)}


def in_rounds(folder: Path) -> End:
    return {**trained(folder), **files(folder, "rounds/2/examples.jsonl")}


def expanded(folder: Path) -> End:
    assert (folder / "ledger.html").stat().st_size > 1000
    return files(folder, "examples.jsonl", "rejected.jsonl", "ledger.json", "facts.jsonl")


def swept(folder: Path) -> End:
    (folder,) = folder.glob("outputs/sweeps/*")
    best = read_json(folder / "best.json")
    assert (folder / "sweep.html").stat().st_size > 1000
    assert read_json(Path(best["folder"]) / "run.json")["state"] == "finished"
    rows = table(folder / "trials.csv")
    for row in rows:  # packed with other trials, rows are padded to other widths: sums differ in the last places
        row["val_loss"] = f"{float(row['val_loss']):.3g}"
    return {"trials": rows, "best": sorted(best["overrides"])}


def scored(folder: Path) -> End:
    return files(folder / "evaluations/other", "scores.json", "answers.jsonl")


def compared(folder: Path) -> End:
    (file,) = folder.glob("outputs/bases/*/bases.json")
    found = read_json(file)
    assert list(file.parent.glob("*.html"))
    kept = ("name", "scores", "probability", "tokens")
    return {"recommended": found["recommended"], "bases": [{key: base[key] for key in kept} for base in found["bases"]]}


@dataclass(frozen=True)
class Case:
    words: tuple[str, ...]
    end: Callable[[Path], End]
    go_on: tuple[str, ...] = ()  # as the guides say; else the same words
    folder: str = "run"  # that `end` reads
    done: str = ""  # files that are not made again once they are there
    pays: bool = False


LEARN = ("learn", *QUICK, "questions=exam.jsonl", "epochs=2", "hydra.run.dir=run")
CASES = {
    "learn": Case(LEARN, trained, ("learn", "resume=run"), done="run/examples.jsonl"),
    "expand, teacher": Case(
        ("expand", "documents=club.md", "expansion=ladder", "expansion.ladder.rungs=3", "teacher=openai",
         "teacher.model=toy", "teacher.server=toy", f"teacher.concurrency={AT_ONCE}", "hydra.run.dir=run"),
        expanded, ("expand", "resume=run"), done="run/examples.jsonl", pays=True,
    ),
    "sweep, packed": Case(
        ("sweep", "batch_lr_epochs", *QUICK, "epochs=1,2", "batch_size=4,16", "lr=3e-3", "hydra.launcher.processes=1",
         "hydra.sweeper.study_name=toy"),
        swept, folder="", done="outputs/sweeps/*/*/outcome.json",
    ),
    "evaluate": Case(("evaluate", "run=run", "questions=other.jsonl"), scored),
    "bases": Case(
        ("bases", "models=[model,other]", "documents=a.txt", "questions=exam.jsonl", "evaluation=[recall]", "steps=3",
         "evaluation.recall.max_new_tokens=4", "adapter.rank=2", "trainer.precision=float32", "trainer.threads=1",
         "expansion.rules.max_examples=40", "split.share=0", "split.at_least=0"),
        compared, folder="",
    ),
    "rounds": Case(
        ("learn", *TOY, "questions=exam.jsonl", "adapter=full", "split.at_least=10", "lr=5e-3", "batch_size=4",
         "epochs=2", "rounds=2", "stopping.checks_per_epoch=1", "expansion.rules.max_examples=60", "hydra.run.dir=run"),
        in_rounds, ("learn", "resume=run"), done="run/examples.jsonl",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, toy_model: Path
) -> Callable[[str], tuple[Path, End, float, set[str]]]:
    """Of an undisturbed command: the folder before it, its end, its seconds, and what it asked the teacher."""
    made: dict[str, tuple[Path, End, float, set[str]]] = {}
    called(("--version",), toy_model, tmp_path_factory.mktemp("first") / "screen.txt")  # waits for the server of forks
    other = make_model(tmp_path_factory.mktemp("other") / "model", seed=1)

    def get(name: str) -> tuple[Path, End, float, set[str]]:
        if name not in made:
            case, before = CASES[name], furnished(tmp_path_factory.mktemp("before"), toy_model)
            (before / "other").symlink_to(other)
            (before / "club.md").write_text(CLUB)
            asked = [
                json.dumps({"question": f"Where was {who} born?", "answers": [town]}) for who, town in TOWNS.items()
            ]
            for questions in ("exam.jsonl", "other.jsonl"):
                (before / questions).write_text("\n".join(asked[:4] if questions[0] == "e" else asked))
            if name == "evaluate":
                assert called(LEARN, before, before / "screen.txt", **variables(before))[0] == 0
            here = shutil.copytree(before, before.with_name(f"{before.name}-whole"), symlinks=True)
            with taught(case) as (more, said):
                start = time.monotonic()
                code, shown = called((*case.words, *more), here, here / "screen.txt", **variables(here))
                seconds = time.monotonic() - start
            assert code == 0, shown
            made[name] = before, case.end(here / case.folder), seconds, set(said())
        return made[name]

    return get


def variables(here: Path) -> dict[str, str]:
    return {"BYHEART_CACHE": str(here / "cache"), "OMP_NUM_THREADS": "1"}


@contextmanager
def taught(case: Case) -> Iterator[tuple[tuple[str, ...], Callable[[], list[str]]]]:
    """The words that name a teacher's server, and what it was asked up to now."""

    def say(call: Call) -> Say:
        return Say(answer(well(call.said, call.body["temperature"])), delay_s=0.05)

    with ChatServer(say) if case.pays else nullcontext() as server:
        yield (
            (f"teacher.base_url={server.url}",) if server else (),
            lambda: [json.dumps(call.body, sort_keys=True) for call in server.calls] if server else [],
        )


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(i, list(CASES)[i % len(CASES)]) for i in range(KILLS)])
def test_killed_at_a_random_moment_it_ends_alike(number, name, whole, tmp_path, record_property):
    record_property("fault", f"kill: {name}")
    before, wanted, seconds, asked = whole(name)
    case, luck, here, screen = (
        CASES[name],
        random.Random(f"{SEED}:{number}"),
        tmp_path / "here",
        tmp_path / "screen.txt",
    )
    shutil.copytree(before, here, symlinks=True)
    with taught(case) as (more, said):
        words, paid = (*case.words, *more), 0
        while True:  # until the end comes before the next kill; a command that goes on is killed less often
            moment, number_of_signal = luck.uniform(0.05, seconds), luck.choice(SIGNALS)
            print(f"{' '.join(words[:2])} after {moment:.2f} of {seconds:.2f} s: {number_of_signal.name}")
            with begun(words, here, screen, **variables(here)) as command:
                if (code := command.wait(moment)) is None:
                    command.send(number_of_signal)
                    code = command.wait(60)
            assert code in ENDS, (code, command.said)
            known = said()[:paid]
            assert len(set(known) & set(said()[paid:])) <= AT_ONCE, "answers that had arrived were paid again"
            paid = len(said())
            words = (*(case.go_on or case.words), *(() if case.go_on else more))
            if case.go_on and not (here / "run/.hydra/overrides.yaml").is_file():
                words = (*case.words, *more)  # nothing was saved, so there is nothing to resume
            if luck.random() < 0.7:
                break
        done = {file: file.stat().st_mtime_ns for file in here.glob(case.done or "nothing")}
        code, _ = called(words, here, screen, **variables(here))
        assert code == 0, screen.read_text()
        assert len(set(said()[:paid]) & set(said()[paid:])) <= AT_ONCE, "answers that had arrived were paid again"
        assert set(said()) == asked
    for what, value in case.end(here / case.folder).items():
        assert value == wanted[what], what
    assert {file: file.stat().st_mtime_ns for file in done} == done, "finished work was done again"
    shutil.rmtree(here)
