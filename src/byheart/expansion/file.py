"""The user's own question-answer pairs as examples, tied to the facts that they ask about."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byheart.errors import Problem, UserError
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.records import ANGLES, FORWARD, REVERSE, Chunk, Example, Fact, Rejection

SUPPORT = 55.0  # rapidfuzz token_set_ratio below which a pair is tied to its chunk, not to a fact


@dataclass(frozen=True, kw_only=True)
class File(Quotas):
    """Reads JSONL lines with `question` and `answer`; `angle`, `direction`, `document`, `section`, `fact` are optional.

    Lines that share a `fact` (any value; or a list of them) are tied to the same fact of the document: the one whose
    words they share most, within `section` where it is named. A line that fits no fact is split by its chunk.
    """

    path: str

    def problems(self) -> Sequence[Problem]:
        try:
            list(read_pairs(Path(self.path).expanduser()))
        except UserError as error:
            return error.problems
        return []

    def expand(self, source: Source) -> ExpansionResult:
        if not source.chunks:
            return ExpansionResult(())
        tied: dict[Any, tuple[Fact | None, Chunk]] = {}
        pairs = list(read_pairs(Path(self.path).expanduser()))
        groups: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for number, pair in pairs:
            groups[_group(pair, number)].append(pair)
        candidates: dict[str, list[Example]] = defaultdict(list)
        loose: list[Example] = []
        rejected, seen = [], set()
        for number, pair in pairs:
            group = _group(pair, number)
            if group not in tied:
                tied[group] = _tie(groups[group], source)
            example = _example(pair, *tied[group])
            if example.id in seen:
                rejected.append(Rejection(example, "the same question and answer stand in the file already"))
            elif example.facts:
                candidates[example.facts[0]].append(example)
            else:
                loose.append(example)
            seen.add(example.id)
        most = max((len(own) for own in candidates.values()), default=0)
        chosen = choose(self, source.chunks, source.facts, candidates, usual=most) + loose
        if self.max_examples is not None:
            chosen = chosen[: self.max_examples]
        uncovered = {fact.id: "no line of the file asks about it" for fact in source.facts if fact.id not in candidates}
        short = shortfalls(self, source.chunks, source.facts, chosen, "file")
        return ExpansionResult(tuple(chosen), tuple(rejected), uncovered, tuple(short))


def read_pairs(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number, pair) of each line; all broken lines are reported together."""
    if not path.is_file():
        raise UserError(
            Problem(
                "there is no such file", "expansion.file.path", str(path), "name a JSONL file of question-answer pairs"
            )
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8 text, one JSON object a line"
        raise UserError(Problem("the file is not UTF-8 text", str(path), f"byte {error.start}", fix)) from None
    pairs, problems = [], []
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: U+2028 may stand inside a JSON string
        if not line.strip():
            continue
        try:
            pair = json.loads(line)
        except json.JSONDecodeError as error:
            problems.append(
                Problem(f"not valid JSON: {error.msg}", f"{path}:{number}", line[:60], "one JSON object a line")
            )
            continue
        missing = [
            key for key in ("question", "answer") if not isinstance(pair, dict) or not str(pair.get(key) or "").strip()
        ]
        if missing:
            fix = 'each line needs "question" and "answer"'
            if missing == ["answer"] and "answers" in pair:
                fix = 'rename "answers" to "answer": it is one text here, which is learned word for word'
            problems.append(Problem(f"no {' and no '.join(missing)}", f"{path}:{number}", line[:60], fix))
            continue
        pairs.append((number, pair))
    if not pairs and not problems:
        problems.append(
            Problem("the file holds no pairs", "expansion.file.path", str(path), "write one JSON object a line")
        )
    if problems:
        raise UserError(*problems)
    yield from pairs


def _group(pair: Mapping[str, Any], number: int) -> tuple[str, ...]:
    named = pair.get("fact", pair.get("facts"))
    return ("line", str(number)) if named is None else (str(pair.get("document", "")), str(named))


def _tie(pairs: Sequence[Mapping[str, Any]], source: Source) -> tuple[Fact | None, Chunk]:
    """The fact that all the pairs of a group are about, or only the chunk where none stands out."""
    from rapidfuzz import fuzz

    by_chunk = {chunk.id: chunk for chunk in source.chunks}
    section = str(pairs[0].get("section") or "")
    named = [c for c in source.chunks if section and any(section in heading for heading in c.headings)] or list(
        source.chunks
    )
    facts = [fact for chunk in named for fact in source.facts_of(chunk)] or list(source.facts)
    texts = [f"{pair['question']} {pair['answer']}" for pair in pairs]
    if not facts:
        return None, named[0]
    scored = [
        (sum(fuzz.token_set_ratio(fact.text, text) for text in texts) / len(texts), -place)
        for place, fact in enumerate(facts)
    ]
    score, place = max(scored)
    best = facts[-place]
    several = (
        isinstance(pairs[0].get("fact", pairs[0].get("facts")), list)
        and len(pairs[0].get("fact", pairs[0].get("facts"))) > 1
    )
    return (best if score >= SUPPORT and not several else None), by_chunk[best.chunk]


def _example(pair: Mapping[str, Any], fact: Fact | None, chunk: Chunk) -> Example:
    question, answer = str(pair["question"]).strip(), str(pair["answer"]).strip()
    angle = str(pair.get("angle") or "simple")
    direction = str(pair.get("direction") or (REVERSE if angle == "reverse" else FORWARD))
    return Example(
        id=example_id(question, answer),
        question=question,
        answer=answer,
        facts=(fact.id,) if fact else (),
        angle=angle if angle in ANGLES else "detailed",
        direction=direction if direction in (FORWARD, REVERSE) else FORWARD,
        expansion="file",
        chunk=chunk.id,
        rung=pair.get("rung"),
    )
