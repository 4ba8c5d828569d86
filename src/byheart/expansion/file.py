"""The user's own question-answer pairs as examples, tied to the facts that they ask about."""

import csv
import json
import math
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from byheart.errors import Problem, UserError
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.records import ANGLES, FORWARD, NEITHER, REVERSE, Chunk, Document, Example, Fact, Json, Rejection

FIELDS = (
    "question",
    "answer",
    "facts",
    "angle",
    "direction",
    "chunk",
    "rung",
    "subject",
)  # of Example, read as written
SUPPORT = 55.0  # rapidfuzz token_set_ratio below which a pair is tied to its chunk, not to a fact
LISTED = 20  # broken lines that are reported one by one
EACH_LINE = 'each line needs "question" and "answer"'


@dataclass(frozen=True, kw_only=True)
class File(Quotas):
    """Reads JSONL lines with `question` and `answer`; `angle`, `direction`, `document`, `section`, `fact` are optional.

    Lines that share a `fact` (any value; or a list of them) are tied to the same fact of the document: the one whose
    words they share most, within `document` and `section` where they are named. A line that fits no fact is split by
    its chunk. Lines in the form of examples.jsonl (see FIELDS) are tied to the facts and the chunk that they name.
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
        ties = _Ties(source)
        tied = {group: ties.find(members) for group, members in groups.items()}
        candidates: dict[str, list[Example]] = defaultdict(list)
        loose: list[Example] = []
        rejected, seen = [], set()
        for group, pair in pairs:
            example = _example(pair, *tied[group])
            if example.id in seen:
                rejected.append(Rejection(example, "the same question and answer stand in the file already"))
            else:
                (candidates[example.facts[0]] if len(example.facts) == 1 else loose).append(example)
            seen.add(example.id)
        most = max((len(own) for own in candidates.values()), default=0)
        chosen = choose(self, source.chunks, source.facts, candidates, usual=most) + loose
        chosen = chosen[: self.max_examples]
        taught = {fact for facts, _ in tied.values() for fact in facts}
        uncovered = {fact.id: "no line of the file asks about it" for fact in source.facts if fact.id not in taught}
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
    # not splitlines: U+2028 may stand inside a JSON string
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise UserError(Problem("the file holds no pairs", where, str(path), "write one JSON object a line"))
    if other := _other_kind(text, lines[0][1], path):
        raise UserError(other)
    parsed = [(number, line, *_parse(line)) for number, line in lines]
    broken = [Problem(what, f"{path}:{number}", line[:60], fix) for number, line, _, what, fix in parsed if what]
    if len(broken) > LISTED:
        more = f"{len(broken) - LISTED:,} more lines cannot be read"
        broken[LISTED:] = [Problem(more, str(path), fix=f"mend those above first: {EACH_LINE}")]
    if broken:
        raise UserError(*broken)
    return [(number, pair) for number, _, pair, _, _ in parsed]


def _other_kind(text: str, first: str, path: Path) -> Problem | None:
    """What the file is where it is no JSONL at all, with the line that turns it into one."""
    if _is_object(first):
        return None
    into = path.with_suffix(".jsonl").name
    into = f"pairs-{into}" if into == path.name else into

    def problem(kind: str, pairs: str) -> Problem:
        lines = f"import csv, json, sys; [print(json.dumps(pair)) for pair in {pairs}]"
        fix = f"python -c {shlex.quote(lines)} {shlex.quote(str(path))} > {shlex.quote(into)}"
        return Problem(f"this is {kind}, not one JSON object a line", str(path), first[:60].strip(), fix)

    file = 'open(sys.argv[1], encoding="utf-8-sig", newline="")'
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = None
    if isinstance(whole, list) and all(isinstance(pair, dict) for pair in whole):
        return problem("one JSON array", f"json.load({file})")
    for delimiter in (",", ";", "\t"):
        if {"question", "answer"} <= set(next(csv.reader([first.strip()], delimiter=delimiter))):
            return problem("a table (CSV)", f"csv.DictReader({file}, delimiter={json.dumps(delimiter)})")
    return None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except json.JSONDecodeError:
        return False


def _parse(line: str) -> tuple[Json, str, str]:
    """The pair of a line, what is wrong with it ("" if nothing), and how to mend it."""
    try:
        pair = json.loads(line)
    except json.JSONDecodeError as error:
        return {}, f"not valid JSON: {error.msg}", "one JSON object a line"
    if not isinstance(pair, dict):
        return {}, "not a JSON object", f'{EACH_LINE}: {{"question": "...", "answer": "..."}}'
    faults = list(_faults(pair))
    return pair, "; ".join(what for what, _ in faults), "; ".join(fix for _, fix in faults)


def _faults(pair: Json) -> Iterator[tuple[str, str]]:
    """What is wrong with a pair, and how to mend it."""
    said = {key: "" if pair.get(key) is None else pair[key] for key in ("question", "answer")}
    if missing := [key for key, value in said.items() if not str(value).strip()]:
        named = f"; this one has {', '.join(map(str, pair))}" if not pair.keys() >= {*missing} else ""
        fix = f"{EACH_LINE}{named if pair else ''}"
        if missing == ["answer"] and "answers" in pair:
            fix = 'rename "answers" to "answer": it is one text here, which is learned word for word'
        yield f"no {' and no '.join(missing)}", fix
    for key, value in said.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            yield f"{key} is not a text", f'write "{key}" as one text'
        elif any("\ud800" <= letter <= "\udfff" for letter in str(value)):
            yield f"{key} has half a character (a lone \\ud8.. escape)", "write the whole character, or leave it out"
    if pair.get("direction") not in (None, "", FORWARD, REVERSE, NEITHER):
        yield f"{pair['direction']!r} is no direction", f'"direction" is "{FORWARD}", "{REVERSE}" or "{NEITHER}"'
    rung = pair.get("rung")
    if rung is not None and (isinstance(rung, bool) or not isinstance(rung, int | float) or not math.isfinite(rung)):
        yield "rung is not a number", '"rung" is the temperature of the teacher that wrote the pair; leave it out'


def _group(pair: Json, number: int) -> tuple[str, ...]:
    fact = _fact_of(pair)
    if fact is None or fact == []:
        return ("line", str(number))
    return (str(pair.get("document", "")), str(fact))


def _fact_of(pair: Json) -> object:
    return pair.get("fact", pair.get("facts"))


@dataclass(frozen=True)
class _Ties:
    """Finds the facts and the chunk that pairs belong to: those that they name, else the most alike."""

    source: Source

    @cached_property
    def facts(self) -> dict[str, Fact]:
        return {fact.id: fact for fact in self.source.facts}

    @cached_property
    def chunks(self) -> dict[str, Chunk]:
        return {chunk.id: chunk for chunk in self.source.chunks}

    def find(self, pairs: Sequence[Json]) -> tuple[tuple[str, ...], Chunk]:
        """The facts that all pairs of a group are about (none where no fact stands out), and their chunk."""
        stated = _fact_of(pairs[0])
        named = [str(fact) for fact in (stated if isinstance(stated, list) else [stated])]
        chunk = self.chunks.get(str(pairs[0].get("chunk")))
        if named and all(fact in self.facts for fact in named):
            return tuple(named), chunk or self.chunks[self.facts[named[0]].chunk]
        if stated == [] and chunk:
            return (), chunk
        return self._most_alike(pairs, several=len(named) > 1)

    def _most_alike(self, pairs: Sequence[Json], several: bool) -> tuple[tuple[str, ...], Chunk]:
        from rapidfuzz import fuzz

        chunks = self._named(pairs[0])
        facts = [fact for chunk in chunks for fact in self.source.facts_of(chunk)] or self.source.facts
        if not facts:
            return (), chunks[0]
        texts = [f"{pair['question']} {pair['answer']}" for pair in pairs]

        def likeness(fact: Fact) -> float:
            return sum(fuzz.token_set_ratio(fact.text, text) for text in texts) / len(texts)

        best = max(facts, key=likeness)
        return ((best.id,) if likeness(best) >= SUPPORT and not several else ()), self.chunks[best.chunk]

    def _named(self, pair: Json) -> Sequence[Chunk]:
        """The chunks of the document and the section that a pair names; a name that nothing bears is not heeded."""
        chunks: Sequence[Chunk] = self.source.chunks
        if name := str(pair.get("document") or "").casefold():
            here = {document.id for document in self.source.documents if name in _names(document)}
            chunks = [chunk for chunk in chunks if chunk.document in here] or chunks
        if section := str(pair.get("section") or ""):
            chunks = [chunk for chunk in chunks if any(section in heading for heading in chunk.headings)] or chunks
        return chunks


def _names(document: Document) -> set[str]:
    path = PurePath(document.path)
    return {name.casefold() for name in (document.id, document.title, document.path, path.name, path.stem)}


def _example(pair: Json, facts: tuple[str, ...], chunk: Chunk) -> Example:
    question, answer = str(pair["question"]).strip(), str(pair["answer"]).strip()
    angle = str(pair.get("angle") or "simple")
    usual = {"reverse": REVERSE, "source": NEITHER, "before": NEITHER}
    direction = str(pair.get("direction") or usual.get(angle, FORWARD))
    return Example(
        id=example_id(question, answer),
        question=question,
        answer=answer,
        facts=facts,
        angle=angle if angle in ANGLES else "detailed",
        direction=direction,
        expansion="file",
        chunk=chunk.id,
        rung=pair.get("rung"),
        subject=str(pair.get("subject") or ""),
    )
