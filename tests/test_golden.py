"""Goldens: what byheart wrote at commit bc0a307 for a toy run, a toy sweep and the rules on `examples/ham_radio`.

A change that is meant to keep behaviour keeps `golden/`. A change that is meant to alter what byheart writes renews it:

    BYHEART_RENEW_GOLDENS=1 pytest tests/test_golden.py

Rule: a commit that renews a golden names in its message which behaviour it changes and why. Read `git diff tests/golden`
first; a line that this reason does not explain is a fault.

Only the command line is used, so the goldens outlive any move inside `src/`. Losses, rates and scores may differ in the
last digits (`RELATIVE`, `ABSOLUTE`); all else must be equal. Times, memory, versions and module paths are left out.
"""

import csv
import hashlib
import html
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from byheart import cli
from sweep.toy import QUICK, furnished, make_model

GOLDEN = Path(__file__).parent / "golden"
HAM_RADIO = Path(__file__).parents[1] / "examples/ham_radio"
RENEW = os.environ.get("BYHEART_RENEW_GOLDENS") == "1"
RELATIVE, ABSOLUTE = 1e-3, 1e-4
ROUNDED = {"curve.csv", "scores.json", "report.txt", "trials.csv", "best.yaml"}  # files that hold such numbers
SHOWN = 10  # differences of one file
VARYING = {"seconds", "peak_memory", "peak_memory_gib"}  # columns
SPLIT_NAMES = {"choose": "validation", "judge": "test"}  # up to bc0a307, and after it

LEARN = ("learn", *QUICK, "questions=exam.jsonl", "seed=0", "epochs=2", "lr=1e-2", "hydra.run.dir=run")
SWEEP = (
    "sweep", "batch_lr_epochs", *QUICK, "seed=0", "epochs=1,2", "batch_size=4,8", "lr=3e-3,1e-2",
    "hydra/launcher=packed", "hydra.launcher.processes=1", "hydra.sweeper.study_name=toy",
)  # fmt: skip
EXPAND = ("expand", "documents=amateur_radio_rules.md", "questions=questions.jsonl", "seed=0", "hydra.run.dir=rules")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, with no cache and no account but its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return tmp_path


def test_a_toy_run(here):
    furnished(here, make_model(here / "toy"))
    assert cli.main(list(LEARN)) == 0
    check(
        "run",
        {
            "examples.jsonl": records(Path("run/examples.jsonl")),
            "rejected.jsonl": records(Path("run/rejected.jsonl")),
            "ledger.json": read(Path("run/ledger.json")),
            "split.json": split(Path("run/split.json")),
            "curve.csv": table(Path("run/curve.csv")),
            "scores.json": read(Path("run/scores.json")),
            "report.txt": page(Path("run/report.html")),
        },
    )


def test_a_toy_sweep(here):
    furnished(here, make_model(here / "toy"))
    assert cli.main(list(SWEEP)) == 0
    folder = here / "outputs/sweeps/toy"
    best = (folder / "best.yaml").read_text().replace(str(here), "@HERE@")
    check("sweep", {"trials.csv": table(folder / "trials.csv"), "best.yaml": best.splitlines()})


def test_the_rules_on_ham_radio(here):
    for name in ("amateur_radio_rules.md", "questions.jsonl"):
        shutil.copy(HAM_RADIO / name, here)
    assert cli.main(list(EXPAND)) == 0
    examples = records(Path("rules/examples.jsonl"))
    rejected = records(Path("rules/rejected.jsonl"))
    angles = {example["id"]: example["angle"] for example in examples}
    parts = split(Path("rules/split.json"))
    check(
        "ham_radio",
        {
            "examples.json": digest([(example["angle"], example) for example in examples]),
            "rejected.json": digest([(line["example"]["angle"], line) for line in rejected]),
            "ledger.json": {name: short(value) for name, value in read(Path("rules/ledger.json")).items()},
            "split.json": {
                name: digest([(angles[i], i) for i in part])
                if part and name in ("train", "validation", "test")
                else part
                for name, part in parts.items()
            },
        },
    )


# What is compared: plain values, free of times, memory, versions and places.


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def records(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def split(path: Path) -> dict[str, Any]:
    parts = {SPLIT_NAMES.get(name, name): part for name, part in read(path).items()}
    return parts | {"refused": dict(sorted(parts["refused"].items()))}  # bc0a307 wrote them in the order of a set


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: cell for name, cell in line.items() if name not in VARYING} for line in csv.DictReader(file)]


def page(path: Path) -> list[str]:
    """The visible text, a line for each block or table row."""
    text = path.read_text(encoding="utf-8").replace(str(Path.cwd()), "@HERE@")
    text = re.sub(r"(?is)<(head|script|style)\b.*?</\1>", " ", text)
    text = re.sub(r"(?i)<(/?(tr|p|div|section|h\d|li|pre|summary|details|table|text|button)|br)\b[^>]*>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    for pattern, instead in (
        (r"\d+ [A-Z]\w+ \d{4}, \d\d:\d\d", "DATE"),
        (r"\b\d+ h \d+ min\b|\b[\d.]+ (s|min)\b", "TIME"),
        (r"\b[\d.]+ GiB\b", "MEMORY"),
        (r"(?m)^(\s*[\w-]+\s+)\d+\.\d+\.\d+\S*\s*$", r"\1VERSION"),
        (r"(_target_: ).*", r"\1CLASS"),
    ):
        text = re.sub(pattern, instead, text)
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def digest(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A count and a hash for each group, whatever the order; and a hash of the order."""
    groups: dict[str, list[str]] = {}
    for group, value in pairs:
        groups.setdefault(group, []).append(line_of(value))
    found: dict[str, Any] = {
        group: {"count": len(lines), "sha256": sha256(sorted(lines))} for group, lines in sorted(groups.items())
    }
    return found | {"in this order": {"count": len(pairs), "sha256": sha256([line_of(value) for _, value in pairs])}}


def short(value: Any) -> Any:
    """The value itself, or the count and hash of a long one."""
    if isinstance(value, dict | list) and len(line_of(value)) > 500:
        return {"count": len(value), "sha256": sha256([line_of(value)])}
    return value


def line_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# How goldens are kept and compared.


def check(folder: str, found: dict[str, Any]) -> None:
    """Compares every file before it fails, so that one look shows all that changed."""
    wrong = []
    for name, value in found.items():
        golden = GOLDEN / folder / name
        write, load = FORMS[golden.suffix]
        assert str(Path.cwd()) not in line_of(value), f"{name} names a folder of this machine"
        if RENEW:
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(write(value), encoding="utf-8", newline="\n")
        lines = list(differences(load(golden), value, same if name in ROUNDED else equal))
        wrong += [f"golden/{folder}/{name}: {line}" for line in lines[:SHOWN]]
        wrong += [f"golden/{folder}/{name}: and {len(lines) - SHOWN} more"] * (len(lines) > SHOWN)
    assert not wrong, "\n".join(wrong)


def differences(golden: Any, found: Any, agree: Callable[[Any, Any], bool], at: str = "") -> Iterator[str]:
    if isinstance(golden, dict) and isinstance(found, dict):
        for key in dict.fromkeys((*golden, *found)):
            if key not in found:
                yield f"{at}.{key} is gone"
            elif key not in golden:
                yield f"{at}.{key} is new"
            else:
                yield from differences(golden[key], found[key], agree, f"{at}.{key}")
    elif isinstance(golden, list) and isinstance(found, list):
        if len(golden) != len(found):
            yield f"{at} has {len(found)} entries, the golden {len(golden)}"
        for i, (one, other) in enumerate(zip(golden, found, strict=False)):
            yield from differences(one, other, agree, f"{at}[{i}]")
    elif not agree(golden, found):
        yield f"{at} is {found!r}, the golden {golden!r}"


def equal(golden: Any, found: Any) -> bool:
    return type(golden) is type(found) and bool(golden == found)


def same(golden: Any, found: Any) -> bool:
    """Equal, but for the last digits of numbers with a decimal point, which may stand in a text."""
    if isinstance(golden, float) and isinstance(found, float):
        return found == pytest.approx(golden, rel=RELATIVE, abs=ABSOLUTE)
    if isinstance(golden, str) and isinstance(found, str):
        decimal = r"\d+\.\d+(?:e[+-]?\d+)?"
        if re.sub(decimal, "#", golden) == re.sub(decimal, "#", found):
            numbers = [[float(number) for number in re.findall(decimal, text)] for text in (golden, found)]
            return numbers[1] == pytest.approx(numbers[0], rel=RELATIVE, abs=ABSOLUTE)
        return False
    return equal(golden, found)


def _jsonl(value: list[Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in value)


def _csv(value: list[dict[str, str]]) -> str:
    return "".join(",".join(cells) + "\n" for cells in (value[0], *(line.values() for line in value)))


def _lines(value: list[str]) -> str:
    return "\n".join(value) + "\n"


FORMS: dict[str, tuple[Callable[[Any], str], Callable[[Path], Any]]] = {
    ".json": (lambda value: json.dumps(value, ensure_ascii=False, indent=1) + "\n", read),
    ".jsonl": (_jsonl, records),
    ".csv": (_csv, table),
    ".txt": (_lines, lambda path: path.read_text(encoding="utf-8").splitlines()),
    ".yaml": (_lines, lambda path: path.read_text(encoding="utf-8").splitlines()),
}
