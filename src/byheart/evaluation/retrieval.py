"""Open book: each probe with the passage that answers it in its prompt, to compare closed-book recall with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from byheart.evaluation.bm25 import BM25
from byheart.records import Chunk, Document, Fact, Probe

LINE = r"^[ \t>*-]*"  # what may stand before an item's marker
LONGEST = 6000  # characters: a "paragraph" of a text without blank lines would not fit into a prompt


@dataclass(frozen=True)
class Passage:
    """The text to answer from, and `how` it was found: "paragraph", "support", "fact", "lexical" or "none"."""

    text: str
    how: str


class OpenBook:
    """Finds the passage of a probe: the one that its author names, else the chunk of its facts, else the best by BM25."""

    def __init__(self, documents: Sequence[Document], chunks: Sequence[Chunk], facts: Sequence[Fact] = ()):
        self.documents = {document.id: document for document in documents}
        self.chunks = list(chunks)
        self.chunk_of = {fact.id: fact.chunk for fact in facts}
        self.number = {chunk.id: i for i, chunk in enumerate(self.chunks)}
        self.index = BM25([" ".join((*chunk.headings, chunk.text)) for chunk in self.chunks])

    def passage(self, probe: Probe) -> Passage:
        document = self._document(probe)
        if document and probe.paragraph is not None and (text := self._paragraph(document, probe)):
            return Passage(text, "paragraph")
        numbers, how = self._numbers(probe, document)
        return Passage(self._text(numbers), how)

    def chunk(self, probe: Probe) -> tuple[Chunk | None, str]:
        """The first chunk of its passage, and how it was found."""
        document = self._document(probe)
        spans = paragraphs(document.text) if document and probe.paragraph is not None else []
        if document and probe.paragraph is not None and 0 <= probe.paragraph < len(spans):
            start, end = spans[probe.paragraph]
            inside = [each for each in self._chunks(document) if each.start < end and each.end > start]
            return (inside[0] if inside else None), "paragraph"
        numbers, how = self._numbers(probe, document)
        return (self.chunks[numbers[0]] if numbers else None), how

    def _numbers(self, probe: Probe, document: Document | None) -> tuple[list[int], str]:
        """The chunks of its passage, where no paragraph is named, as indices."""
        if document and probe.support and (found := find_support(document, self._chunks(document), probe.support)):
            return [self.number[chunk.id] for chunk in found], "support"
        named = {self.number[self.chunk_of[fact]] for fact in probe.facts if self.chunk_of.get(fact) in self.number}
        if named:
            return sorted(named), "fact"
        among = {self.number[chunk.id] for chunk in self._chunks(document)} if document else None
        best = self.index.best(probe.question, among)
        return ([], "none") if best is None else ([best], "lexical")

    def open(self, probes: Sequence[Probe]) -> tuple[list[Probe], dict[str, str]]:
        """The same probes with their passage before the question, and how each passage was found, by `Probe.id`."""
        passages = {probe.id: self.passage(probe) for probe in probes}
        opened = [replace(probe, question=ask_with(passages[probe.id].text, probe.question)) for probe in probes]
        return opened, {probe: passage.how for probe, passage in passages.items()}

    def _document(self, probe: Probe) -> Document | None:
        if probe.document or len(self.documents) != 1:
            return self.documents.get(probe.document)
        return next(iter(self.documents.values()))

    def _chunks(self, document: Document) -> list[Chunk]:
        return [chunk for chunk in self.chunks if chunk.document == document.id]

    def _paragraph(self, document: Document, probe: Probe) -> str:
        spans = paragraphs(document.text)
        if probe.paragraph is None or not 0 <= probe.paragraph < len(spans):
            return ""
        start, end = spans[probe.paragraph]
        if end - start <= LONGEST:
            return document.text[start:end]
        inside = [chunk for chunk in self._chunks(document) if chunk.start < end and chunk.end > start]
        best = self.index.best(probe.question, {self.number[chunk.id] for chunk in inside})
        return "" if best is None else self.chunks[best].text

    def _text(self, numbers: Sequence[int]) -> str:
        """The chunks' texts, neighbours joined as in the document, each under its heading."""
        text = ""
        last: Chunk | None = None
        for number in numbers:
            chunk = self.chunks[number]
            document = self.documents[chunk.document]
            gap = document.text[last.end : chunk.start] if last and last.document == chunk.document else "."
            heading = chunk.headings[-1] if chunk.headings else ""
            if text and not gap.strip():
                text += gap
            elif text:
                text += "\n\n"
            if heading and heading not in chunk.text and not (last and last.headings == chunk.headings):
                text += f"{heading}\n\n"
            text += chunk.text
            last = chunk
        return text


def ask_with(passage: str, question: str) -> str:
    """The open-book prompt; the question comes last, because small models use the end of a prompt best."""
    return f"{passage}\n\nAnswer from the text above.\n{question}" if passage else question


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Where each paragraph of the body starts and ends. Blank lines part them; headings ("# Title") do not count."""
    spans = []
    for match in re.finditer(r"(?:^[^\n]*\S[^\n]*$\n?)+", text, re.MULTILINE):
        block = match.group().rstrip()
        title = re.match(r"(?:#{1,6} [^\n]*(?:\n|\Z))*", block)  # with or without a blank line behind it
        if title and title.end() < len(block):
            spans.append((match.start() + title.end(), match.start() + len(block)))
    return spans


def find_support(document: Document, chunks: Sequence[Chunk], support: str) -> list[Chunk]:
    """The chunks that hold what a locator names: a heading or its number, and items in it: "97.113(a)(4), (c)".

    A part that begins with a bracket belongs to the section before it. Items that are not found leave
    the whole section; a section that is not found leaves nothing.
    """
    whole = _section(chunks, support.strip())
    if whole:
        return _fitting(whole)
    found: dict[str, Chunk] = {}
    section: list[Chunk] = []
    for part in re.split(r"[,;]|\band\b", support):
        name = part.partition("(")[0].strip()
        section = _section(chunks, name) if name else section
        here = _with_item(document, section, re.findall(r"\([^)]*\)", part)) if section else []
        found |= {chunk.id: chunk for chunk in here}
    return _fitting(sorted(found.values(), key=lambda chunk: chunk.start))


def _section(chunks: Sequence[Chunk], name: str) -> list[Chunk]:
    """The chunks under the heading with this name or number; else those with it at a line's start."""
    name = name.strip().lstrip("§#").strip()
    if not name:
        return []
    # "97.1" is neither in "97.11" nor in "97.1.2"; "97" is not in "97.1"
    exact = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w|\.\w)", re.IGNORECASE)
    under = [chunk for chunk in chunks if any(exact.search(heading) for heading in chunk.headings)]
    at_line = re.compile(rf"^[#§\s]*{exact.pattern}", re.IGNORECASE | re.MULTILINE)
    return under or [chunk for chunk in chunks if at_line.search(chunk.text)]


def _with_item(document: Document, section: Sequence[Chunk], items: Sequence[str]) -> list[Chunk]:
    """The chunks of a section that an item stretches over, found by walking inward: (a), in it (3), in it (ii)."""
    start, end = section[0].start, section[-1].end
    levels = set()
    for item in items:
        behind = re.compile(rf"[ \t]*{re.escape(item)}").match(document.text, start, end)  # "(b)(2) A club station"
        match = behind or re.compile(rf"{LINE}{re.escape(item)}", re.MULTILINE).search(document.text, start, end)
        if match:  # an excerpt may leave out a parent, as one that begins at "(10)" leaves out "(a)"
            start = match.end()
            levels.add(_level(item))
    if not levels:
        return list(section)
    for following in re.compile(rf"{LINE}(\(\w+\))", re.MULTILINE).finditer(document.text, start, end):
        if _level(following[1]) in levels:  # the next of its own or of its parents'; deeper ones belong to it
            end = following.start()
            break
    return [chunk for chunk in section if chunk.start < end and chunk.end > start] or list(section)


def _level(item: str) -> str:
    """The kind of numbering: 1, i, a or A. A lone "(i)" is taken as Roman, since letters seldom reach that far."""
    mark = item.strip("()")
    if mark.isdigit():
        return "1"
    if set(mark) <= set("ivx") or (len(mark) > 1 and set(mark) <= set("ivxl")):
        return "i"
    return "A" if mark.isupper() else "a"


def _fitting(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The first chunks, as many as fit into a prompt, at least one."""
    total = 0
    kept: list[Chunk] = []
    for chunk in chunks:
        total += len(chunk.text)
        if kept and total > LONGEST:
            break
        kept.append(chunk)
    return kept
