"""A document's files: the examples of each arm, and the probes that every trial on it answers.

All arms teach the same facts in equal numbers of rows. Of each fact one wording of the recorded pairs and its reverse question
are kept out of every arm. Examples are tied to facts by `byheart expand`, so that the split holds out whole forms.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byheart import expand
from byheart.records import FORWARD, Json
from byheart.store import read_json, read_records, write_json, write_jsonl
from claims.base import REVERSE, TRAINED, WORDING, Material

FACTS = 24
OF_FACT = 3  # rows of each fact in every arm but those of the two directions
EACH_WAY = 2  # rows of each fact and direction
RUNGS = 8  # so many variants of a fact tell a document whose pairs rise in freedom
ASKED, HELD_OUT = 0, 1  # variants: in nearly every arm, in none
FIELDS = ("question", "answer", "facts", "angle", "direction", "chunk")


@dataclass(frozen=True)
class Document:
    """A text and a teacher's recorded pairs on it: document, fact, variant, angle, question, answer."""

    name: str
    path: Path
    pairs: Path


def prepare(document: Document, folder: Path) -> Material:
    """Writes the files once; the same input makes the same files."""
    done = folder / "material.json"
    if not done.is_file():
        arms, probes = _build(_facts(document, folder))
        for name, rows in arms.items():
            write_jsonl(folder / f"{name}.jsonl", [{key: row[key] for key in FIELDS if key in row} for row in rows])
        write_jsonl(folder / "probes.jsonl", probes)
        write_json(done, {"rows": {name: len(rows) for name, rows in arms.items()}})
    return Material(document.name, read_json(done)["rows"])


def _facts(document: Document, folder: Path) -> list[dict[str, Any]]:
    """The facts that are taught, spread over the document: their variants, and the rules' questions by direction."""
    groups: dict[str, list[Json]] = defaultdict(list)
    for pair in read_records(document.pairs):
        if pair["document"] == document.path.name:
            groups[f"{pair.get('section', '')}/{pair['fact']}"].append(pair)
    write_jsonl(folder / "pairs.jsonl", [pair for pairs in groups.values() for pair in pairs])
    file = ["expansion=file", f"expansion.file.path={folder / 'pairs.jsonl'}", f"hydra.run.dir={folder / 'tied'}"]
    tied = {(row["question"], row["answer"]): row for row in _examples(file, document)}
    rules: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
    for row in _examples(["expansion.rules.usual=28", f"hydra.run.dir={folder / 'rules'}"], document):
        rules[row["facts"][0] if row["facts"] else ""][row["direction"]].append(row)
    texts = {fact["id"]: fact["text"] for fact in read_records(folder / "tied" / "facts.jsonl")}
    found = []
    for key, pairs in groups.items():
        variants = {p["variant"]: {**tied[p["question"], p["answer"]], "teacher_angle": p["angle"]} for p in pairs}
        ids = variants[ASKED]["facts"] if ASKED in variants else []
        if len(ids) == 1 and HELD_OUT in variants:
            found.append({"key": key, "variants": variants, "rules": rules[ids[0]], "text": texts[ids[0]]})
    both = [each for each in found if _both_ways(each)]
    chosen = both if len(both) >= FACTS else found
    return [chosen[i * len(chosen) // FACTS] for i in range(FACTS)] if len(chosen) > FACTS else chosen


def _examples(words: Sequence[str], document: Document) -> list[Json]:
    return read_records(expand(*words, "split.share=0", documents=document.path).folder / "examples.jsonl")


def _both_ways(fact: Mapping[str, Any]) -> bool:
    return len(fact["rules"][FORWARD]) >= 2 * EACH_WAY and len(fact["rules"][REVERSE]) >= EACH_WAY


def _build(facts: Sequence[Mapping[str, Any]]) -> tuple[dict[str, list[Json]], list[Json]]:
    arms: dict[str, list[Json]] = defaultdict(list)
    probes: list[Json] = []
    nine = any(len(fact["variants"]) >= RUNGS for fact in facts)
    for turn, fact in enumerate(facts):
        variants = fact["variants"]
        asked = [variants[v] for v in sorted(variants) if v != HELD_OUT and variants[v]["teacher_angle"] != REVERSE]
        reverse = [variants[v] for v in sorted(variants) if variants[v]["teacher_angle"] == REVERSE]
        arms["mixed"] += asked[:OF_FACT]
        arms["short_answers"] += sorted(asked, key=lambda row: len(row["answer"]))[:OF_FACT]
        arms["summaries"] += _long(asked, fact["text"])
        if nine:
            arms["ladder"] += [asked[(turn + i * len(asked) // OF_FACT) % len(asked)] for i in range(OF_FACT)]
            angles = list({row["teacher_angle"]: row for row in reversed(asked)}.values())
            arms["angles"] += [angles[(turn + i) % len(angles)] for i in range(min(OF_FACT, len(angles)))]
        if _both_ways(fact):
            forward, back = fact["rules"][FORWARD], fact["rules"][REVERSE]
            arms["forward"] += forward[: 2 * EACH_WAY]
            arms["both"] += [*forward[:EACH_WAY], *back[:EACH_WAY]]
        kinds = {TRAINED: [variants[ASKED]], WORDING: [variants[HELD_OUT]], REVERSE: reverse[:1]}
        for kind, rows in kinds.items():
            probes += [{"id": f"{kind}:{fact['key']}", "kind": kind, "group": fact["key"], **_qa(row)} for row in rows]
    return dict(arms), probes


def _qa(row: Json) -> Json:
    return {"question": row["question"], "answer": row["answer"]}


def _long(asked: Sequence[Json], text: str) -> list[Json]:
    """Two dialogues and a summary, in the place of the fact's first rows."""
    first, *others = asked[:OF_FACT]
    turns = [f"A: {row['question']}\nB: {row['answer']}" for row in asked[:OF_FACT]]
    dialogue = {"question": f"{first['question']} Answer in a dialogue.", "answer": "\n".join(turns[:2])}
    other = others[-1] if others else first
    second = {"question": f"{other['question']} Answer in a dialogue.", "answer": "\n".join([turns[-1], turns[0]])}
    summary = {"question": f"{first['question']} Sum up what the text says.", "answer": " ".join(text.split())}
    return [{**first, **each, "angle": "detailed"} for each in (dialogue, second, summary)]
