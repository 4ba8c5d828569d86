"""The user's own question-answer pairs as examples, tied to the facts that they ask about."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from byheart.errors import Problem, UserError
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.records import ANGLES, FORWARD, REVERSE, Chunk, Example, Fact, Json, Rejection

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
            read_pairs(Path(self.path).expanduser())
        except UserError as error:
            return error.problems
        return []

    def expand(self, source: Source) -> ExpansionResult:
        if not source.chunks:
            return ExpansionResult(())
        pairs = [(_group(pair, number), pair) for number, pair in read_pairs(Path(self.path).expanduser())]
        groups: dict[tuple[str, ...], list[Json]] = defaultdict(list)
        for group, pair in pairs:
            groups[group].append(pair)
        tied = {group: _tie(members, source) for group, members in groups.items()}
        candidates: dict[str, list[Example]] = defaultdict(list)
        loose: list[Example] = []
        rejected, seen = [], set()
        for group, pair in pairs:
            example = _example(pair, *tied[group])
            if example.id in seen:
                rejected.append(Rejection(example, "the same question and answer stand in the file already"))
            else:
                (candidates[example.facts[0]] if example.facts else loose).append(example)
            seen.add(example.id)
        most = max((len(own) for own in candidates.values()), default=0)
        chosen = choose(self, source.chunks, source.facts, candidates, usual=most) + loose
        chosen = chosen[: self.max_examples]
        uncovered = {fact.id: "no line of the file asks about it" for fact in source.facts if fact.id not in candidates}
        short = shortfalls(self, source.chunks, source.facts, chosen, "file")
        return ExpansionResult(tuple(chosen), tuple(rejected), uncovered, tuple(short))


def read_pairs(path: Path) -> list[tuple[int, Json]]:
    """(line number, pair) of each line; all broken lines are reported together."""
    where = "expansion.file.path"
    if not path.is_file():
        raise UserError(
            Problem("there is no such file", where, str(path), "name a JSONL file of question-answer pairs")
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8 text, one JSON object a line"
        raise UserError(Problem("the file is not UTF-8 text", str(path), f"byte {error.start}", fix)) from None
    pairs, problems = [], []
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: U+2028 may stand inside a JSON string
        if line.strip():
            pair, what, fix = _parse(line)
            pairs.append((number, pair))
            problems += [Problem(what, f"{path}:{number}", line[:60], fix)] if what else []
    if not pairs:
        problems.append(Problem("the file holds no pairs", where, str(path), "write one JSON object a line"))
    if problems:
        raise UserError(*problems)
    return pairs


def _parse(line: str) -> tuple[Json, str, str]:
    """The pair of a line, what is wrong with it ("" if nothing), and how to mend it."""
    try:
        pair = json.loads(line)
    except json.JSONDecodeError as error:
        return {}, f"not valid JSON: {error.msg}", "one JSON object a line"
    fields = pair if isinstance(pair, dict) else {}
    missing = [key for key in ("question", "answer") if not str(fields.get(key) or "").strip()]
    fix = 'each line needs "question" and "answer"'
    if missing == ["answer"] and "answers" in fields:
        fix = 'rename "answers" to "answer": it is one text here, which is learned word for word'
    return fields, f"no {' and no '.join(missing)}" if missing else "", fix


def _group(pair: Json, number: int) -> tuple[str, ...]:
    fact = _fact_of(pair)
    return ("line", str(number)) if fact is None else (str(pair.get("document", "")), str(fact))


def _fact_of(pair: Json) -> object:
    return pair.get("fact", pair.get("facts"))


def _tie(pairs: Sequence[Json], source: Source) -> tuple[Fact | None, Chunk]:
    """The fact that all the pairs of a group are about, or only the chunk where none stands out."""
    from rapidfuzz import fuzz

    section = str(pairs[0].get("section") or "")
    named = [chunk for chunk in source.chunks if section and any(section in heading for heading in chunk.headings)]
    chunks = named or source.chunks
    facts = [fact for chunk in chunks for fact in source.facts_of(chunk)] or source.facts
    if not facts:
        return None, chunks[0]
    texts = [f"{pair['question']} {pair['answer']}" for pair in pairs]

    def likeness(fact: Fact) -> float:
        return sum(fuzz.token_set_ratio(fact.text, text) for text in texts) / len(texts)

    best = max(facts, key=likeness)
    stated = _fact_of(pairs[0])
    several = isinstance(stated, list) and len(stated) > 1
    chunk = next(chunk for chunk in source.chunks if chunk.id == best.chunk)
    return (best if likeness(best) >= SUPPORT and not several else None), chunk


def _example(pair: Json, fact: Fact | None, chunk: Chunk) -> Example:
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
