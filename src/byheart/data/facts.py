"""Facts: the statements of a chunk, by default its sentences. Everything later is counted and scored by them."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from byheart.data.chunks import content_ids
from byheart.documents.blocks import CAPTION, CODE, FORMULA, NOTE, PAIRED, Block
from byheart.documents.items import Place, find_places
from byheart.documents.language import UNSPACED, count_words, document_language, is_english
from byheart.documents.outline import outline
from byheart.documents.pairs import LONG
from byheart.documents.sentences import WORD, statements, trim
from byheart.documents.tokens import count_tokens
from byheart.records import Chunk, Document, Fact

Span = tuple[int, int]
LEAST_WORDS = 3  # a shorter statement joins its neighbour
LEAST_ELSEWHERE = 2  # in other languages: "Вход свободный.", "자전거는 무료입니다." say all that "Entry is free." does
WHOLE = ("row", "header", CODE, FORMULA, CAPTION, NOTE, *PAIRED)  # kinds of blocks that are one statement each
FOLLOWING = re.compile(
    r"(?:[,;]?\s+(?:as|in|by|with|under|to|for|of|when|if|on|from|subject to|according to)\b[^,;:]{0,40}?)?"
    r"\s*\b(?:(?:the|these|any of the|one of the|all of the|each of the)\s+)?(?:following|below)\b[^:—–]*[:—–]?$",
    re.IGNORECASE,
)
ANNOUNCES = re.compile(r"\b(?:following|below|definitions?|terms?|glossary|means?)\b", re.IGNORECASE)
UNFINISHED = re.compile(
    r"\b(?:to|of|by|from|for|that|if|when|where|who|which|whose|is|are|was|were|be|been|the|an?|and|or|may|must|shall|"
    r"should|can|will|would|could|might|with|without|in|on|at|as|not|unless|until|into|than|under|includes?|means?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """A fact in the making."""

    start: int
    end: int
    label: str
    block: int
    kind: str
    section: int
    governed: bool = False  # the first statement of an item under a lead-in
    leads: bool = False  # the lead-in of items
    question: str = ""
    answer: str = ""


def find_facts(document: Document, chunks: Sequence[Chunk]) -> list[Fact]:
    """The facts of a document in order: `document.text[start:end] == text`, each inside one chunk, none overlapping.

    Headings are no facts; list markers are kept apart in `label`. A document with any text has at least one fact.
    """
    text = document.text
    language = document_language(text)
    found: list[tuple[Chunk, Statement]] = []
    by_chunk = find_statements(document, chunks)
    for chunk, parts in zip(chunks, by_chunk, strict=True):
        whole = [part for part in join_short(text, parts, language) if not part.leads or says_something(text, part)]
        found += [(chunk, part) for part in whole if any(map(str.isalnum, text[part.start : part.end]))]
    if not found:  # signs only, "!!!" or "***": all there is
        found = [(chunk, part) for chunk, parts in zip(chunks, by_chunk, strict=True) for part in parts][:1]
        found = found or [(chunk, Statement(chunk.start, chunk.end, "", 0, "text", 0)) for chunk in chunks[:1]]
    texts = [text[part.start : part.end] for _, part in found]
    ids = content_ids(document.id, "fact", texts)
    return [
        Fact(
            id,
            document.id,
            chunk.id,
            part.start,
            part.end,
            words,
            tokens,
            chunk.headings,
            part.label,
            part.kind,
            part.question,
            part.answer,
        )
        for id, (chunk, part), words, tokens in zip(ids, found, texts, count_tokens(texts), strict=True)
    ]


def lead_ins(document: Document, facts: Sequence[Fact]) -> dict[str, str]:
    """By fact id, the words that an item completes: "No amateur station shall transmit:" for "(2) Music ...".

    Nested lead-ins are joined by a blank, the outermost first. Only the first statement of an item completes its
    lead-in, so only that one is listed. Under a table, the lead-in is the header row.
    """
    text = document.text
    governing: dict[str, str] = {}
    for fact, block, place in places_of(document, facts):
        if fact.start <= block.body < fact.end and place.chain:
            governing[fact.id] = " ".join(" ".join(text[a:b].split()) for a, b in place.chain)
    return governing


def label_paths(document: Document, facts: Sequence[Fact]) -> dict[str, str]:
    """By fact id, the labels of its item and those around it, the outermost first, "(a)(3)(ii)"; no bullets."""
    return {fact.id: place.labels for fact, _, place in places_of(document, facts) if place.labels}


def places_of(document: Document, facts: Sequence[Fact]) -> list[tuple[Fact, Block, Place]]:
    shape = outline(document.text, document.title)
    places = find_places(document.text, shape)
    starts = [block.start for block in shape.blocks]
    indices = [bisect_right(starts, fact.start) - 1 for fact in facts]
    return [(fact, shape.blocks[at], places[at]) for fact, at in zip(facts, indices, strict=True) if at >= 0]


def find_statements(document: Document, chunks: Sequence[Chunk]) -> list[list[Statement]]:
    """For each chunk the statements in it, those of a block that the chunk cuts clipped to it."""
    text = document.text
    language = document_language(text)
    shape = outline(text, document.title)
    places = find_places(text, shape)
    lead_ends = {place.chain[-1][1] for place in places if place.chain}
    heading_starts = [heading.start for heading in shape.headings]
    found: list[list[Statement]] = [[] for _ in chunks]
    current = 0
    for index, (block, place) in enumerate(zip(shape.blocks, places, strict=True)):
        # An item may open with a term, unless its first words complete "No station shall transmit:".
        term = block.kind == "item" and (not place.chain or bool(ANNOUNCES.search(text, *place.chain[-1])))
        whole = block.kind in WHOLE and count_words(block.answer) <= LONG
        whole = whole and not (block.kind == NOTE and count_words(text[block.body : block.end]) > LONG)
        spans = [(block.body, block.end)] if whole else statements(text, block.body, block.end, term, language)
        if block.question:
            spans[0] = (block.start, spans[0][1])
        section = bisect_right(heading_starts, block.start)
        for number, span in enumerate(spans):
            while current < len(chunks) and chunks[current].end <= span[0]:
                current += 1
            governed, leads = number == 0 and bool(place.chain), span[1] in lead_ends
            at = current
            while at < len(chunks) and chunks[at].start < span[1]:
                start, end = trim(text, max(span[0], chunks[at].start), min(span[1], chunks[at].end))
                if start < end:
                    part = Statement(start, end, block.label, index, block.kind, section, governed, leads)
                    if block.question:  # the pair is where it begins; what is cut off or goes on is a statement
                        own = number == 0 and start == span[0]
                        part = replace(part, leads=False, kind=block.kind if own else "text")
                        part = replace(part, question=block.question, answer=block.answer) if own else part
                    found[at].append(part)
                at += 1
    return found


def join_short(text: str, parts: Sequence[Statement], language: str) -> list[Statement]:
    """Statements of fewer than three words (two, where the text is not English) joined to a neighbour of the same section,
    if there is one.

    Short items under a lead-in join it as long as all so far are short ("The classes are: Novice, General");
    behind a longer item they stand alone, since their lead-in makes them whole.
    """
    joined: list[Statement] = []
    pending: Statement | None = None  # a short statement that waits for the next
    for part in parts:
        prose = part.kind not in WHOLE
        if pending and prose and pending.section == part.section:
            part = replace(part, start=pending.start, label=pending.label, governed=pending.governed)
        elif pending:
            joined.append(pending)
        pending = None
        last = joined[-1] if joined else None
        if prose and not part.leads and is_short(text[part.start : part.end], language):
            beside = last and last.section == part.section and last.kind not in WHOLE
            if last and beside and (last.block == part.block or not part.governed or last.leads):
                # What has swallowed an item is a statement of its own, but the next short item may still join it.
                joined[-1] = replace(last, end=part.end, leads=last.leads and part.governed)
                continue
            if not part.governed:
                pending = part
                continue
        joined.append(part)
    return [*joined, pending] if pending else joined


def is_short(statement: str, language: str) -> bool:
    if is_english(language) and not UNSPACED.search(statement):
        return len(WORD.findall(statement)) < LEAST_WORDS
    return count_words(statement) < LEAST_ELSEWHERE


def says_something(text: str, part: Statement) -> bool:
    """Whether a lead-in is worth learning without its items: "No station shall transmit:" is not."""
    if part.kind == "header":
        return False
    words = text[part.start : part.end]
    if "\n" in words and not words.rstrip("*_ ").endswith((":", "—", "–")):  # it has swallowed its items
        return True
    plain = FOLLOWING.sub("", words.rstrip("*_ "))
    rest = WORD.findall(plain)
    return bool(rest) and max(len(rest), count_words(plain)) >= 8 and not UNFINISHED.match(rest[-1])
