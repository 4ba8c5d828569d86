"""Facts: the statements of a chunk, by default its sentences. Everything later is counted and scored by them."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from byheart.data.chunks import content_ids
from byheart.documents.blocks import (
    CAPTION,
    CODE,
    FORMULA,
    HEADER,
    ITEM,
    NOTE,
    PAIRED,
    RECORD,
    ROW,
    SPEECH,
    TEXT,
    Block,
    Cell,
)
from byheart.documents.languages.language import UNSPACED, count_words, is_english
from byheart.documents.languages.mixed import block_languages
from byheart.documents.languages.sentences import VERB, WORD, statements, trim
from byheart.documents.languages.tokens import count_tokens
from byheart.documents.pairs.find import LONG
from byheart.documents.speech.marks import is_small_talk
from byheart.documents.structure.items import Place, find_places
from byheart.documents.structure.outline import outline
from byheart.records import Chunk, Document, Fact

Span = tuple[int, int]
LEAST_WORDS = 3  # a shorter statement joins its neighbour
LEAST_ELSEWHERE = 2  # in other languages: "Вход свободный.", "자전거는 무료입니다." say all that "Entry is free." does
# Kinds of blocks that are one statement each.
WHOLE = (ROW, RECORD, HEADER, CODE, FORMULA, CAPTION, NOTE, *PAIRED)
FOLLOWING = re.compile(
    r"(?:[,;]?\s+(?:as|in|by|with|under|to|for|of|when|if|on|from|subject to|according to)\b[^,;:]{0,40}?)?"
    r"\s*\b(?:(?:the|these|any of the|one of the|all of the|each of the)\s+)?(?:following|below)\b[^:—–]*[:—–]?$",
    re.IGNORECASE,
)
# "The Tenant may renew the term if the Tenant:" has no verb behind "if"; "The Tenant shall return:" has no object.
SUBORDINATE = re.compile(
    r"\b(?:if|where|when|unless|that|which|who|because|while|until)\b(?P<tail>[^,;]*)$", re.IGNORECASE
)
BARE_VERB = re.compile(r"\b(?:shall|must|may|can|will|should|to)\s+(?:not\s+)?\w+[\s:—–]*$", re.IGNORECASE)
FINISHED = re.compile(r"[:—–：.!?。][\"”’)*_ ]*$")
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
    language: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    joins: bool = False  # an item of a list of short items, which are one statement with their lead-in
    joined: bool = False  # a lead-in with such items
    labels: str = ""
    closing: str = ""


def find_facts(document: Document, chunks: Sequence[Chunk]) -> list[Fact]:
    """The facts of a document in order: `document.text[start:end] == text`, each inside one chunk, none overlapping.

    Headings are no facts; list markers are kept apart in `label`. A document with any text has at least one fact.
    """
    text = document.text
    found: list[tuple[Chunk, Statement]] = []
    by_chunk = find_statements(document, chunks)
    for chunk, parts in zip(chunks, by_chunk, strict=True):
        joined = join_short(text, without_small_talk(text, parts))
        whole = [part for part in joined if not part.leads or says_something(text, part)]
        found += [(chunk, part) for part in whole if any(map(str.isalnum, text[part.start : part.end]))]
    if not found:  # signs only, "!!!" or "***": all there is
        found = [(chunk, part) for chunk, parts in zip(chunks, by_chunk, strict=True) for part in parts][:1]
        found = found or [(chunk, Statement(chunk.start, chunk.end, "", 0, TEXT, 0)) for chunk in chunks[:1]]
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
            language=part.language,
            cells=part.cells,
            labels=part.labels,
            closing=part.closing,
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


def places_of(document: Document, facts: Sequence[Fact]) -> list[tuple[Fact, Block, Place]]:
    shape = outline(document.text, document.title)
    places = find_places(document.text, shape)
    starts = [block.start for block in shape.blocks]
    indices = [bisect_right(starts, fact.start) - 1 for fact in facts]
    return [(fact, shape.blocks[at], places[at]) for fact, at in zip(facts, indices, strict=True) if at >= 0]


def find_statements(document: Document, chunks: Sequence[Chunk]) -> list[list[Statement]]:
    """For each chunk the statements in it, those of a block that the chunk cuts clipped to it."""
    text = document.text
    shape = outline(text, document.title)
    languages = block_languages(text, shape.blocks)
    places = find_places(text, shape)
    lead_ends = {place.chain[-1][1] for place in places if place.chain}
    joining = short_lists(text, shape.blocks, places, languages)
    heading_starts = [heading.start for heading in shape.headings]
    found: list[list[Statement]] = [[] for _ in chunks]
    current = 0
    for index, (block, place) in enumerate(zip(shape.blocks, places, strict=True)):
        order = sorted(range(1, len(block.cells)), key=[cell.start for cell in block.cells].__getitem__)
        # An item may open with a term, unless its first words complete "No station shall transmit:".
        term = block.kind == ITEM and (not place.chain or bool(ANNOUNCES.search(text, *place.chain[-1])))
        whole = block.kind in WHOLE and count_words(block.answer) <= LONG
        whole = whole and not (block.kind == NOTE and count_words(text[block.body : block.end]) > LONG)
        spans = [(block.body, block.end)] if whole else statements(text, block.body, block.end, term, languages[index])
        if block.question:
            spans[0] = (block.start, spans[0][1])
        section = bisect_right(heading_starts, block.start)
        ends = " ".join(text[slice(*place.closing)].split()) if place.closing else ""
        for number, span in enumerate(spans):
            while current < len(chunks) and chunks[current].end <= span[0]:
                current += 1
            governed, leads = number == 0 and bool(place.chain), span[1] in lead_ends
            if number == 0 and place.closes:  # the items say it
                continue
            at = current
            while at < len(chunks) and chunks[at].start < span[1]:
                start, end = trim(text, max(span[0], chunks[at].start), min(span[1], chunks[at].end))
                if start < end:
                    part = Statement(start, end, block.label, index, block.kind, section, governed, leads)
                    joins = governed and place.chain[-1][1] in joining
                    closing = ends if governed else ""
                    part = replace(part, language=languages[index], joins=joins, labels=place.labels, closing=closing)
                    if block.question:  # the pair is where it begins; what is cut off or goes on is a statement
                        own = number == 0 and start == span[0]
                        part = replace(part, leads=False, kind=block.kind if own else TEXT)
                        part = replace(part, question=block.question, answer=block.answer) if own else part
                    if block.cells:
                        part = replace(part, cells=cells_within(block, order, start, end))
                    found[at].append(part)
                at += 1
    return found


def cells_within(block: Block, order: Sequence[int], start: int, end: int) -> tuple[tuple[str, str], ...]:
    """The cells of a row, or of the part of it that a chunk holds: then those that begin there, behind the row's name.

    `order`: the indices of the cells behind the name as they stand in the text. A long row is cut into many chunks, so
    its cells are sought and not filtered.
    """
    cells: Sequence[Cell] = block.cells
    if block.start < start or end < block.end:
        first, last = (bisect_left(order, place, key=lambda at: block.cells[at].start) for place in (start, end))
        cells = [block.cells[at] for at in (0, *sorted(order[first:last]))]
    return tuple((cell.column, cell.value) for cell in cells)


def short_lists(text: str, blocks: Sequence[Block], places: Sequence[Place], languages: Sequence[str]) -> set[int]:
    """The ends of the lead-ins whose items are all short, and whose sentence no words behind the list end."""
    lists: dict[int, list[bool]] = {}
    for block, place, language in zip(blocks, places, languages, strict=True):
        if place.chain:
            short = is_short(text[block.body : block.end], language) and not place.closing
            lists.setdefault(place.chain[-1][1], []).append(short)
    return {end for end, short in lists.items() if all(short)}


def join_short(text: str, parts: Sequence[Statement]) -> list[Statement]:
    """Statements of fewer than three words (two, where the text is not English) joined to a neighbour of the same section,
    if there is one.

    Short items under a lead-in join it if all of its items are short ("The classes are: Novice, General"); else they
    stand alone, since their lead-in makes them whole.
    """
    joined: list[Statement] = []
    pending: Statement | None = None  # a short statement that waits for the next
    for part in parts:
        prose = part.kind not in WHOLE
        if pending and prose and may_join(pending, part):
            part = replace(
                part, start=pending.start, label=pending.label, governed=pending.governed, labels=pending.labels
            )
        elif pending:
            joined.append(pending)
        pending = None
        last = joined[-1] if joined else None
        if prose and not part.leads and is_short(text[part.start : part.end], part.language):
            beside = last and may_join(last, part) and last.kind not in WHOLE
            if last and beside and (last.block == part.block or not part.governed or (last.leads and part.joins)):
                # What has swallowed an item is a statement of its own, but the next short item may still join it.
                items = last.leads and part.governed
                joined[-1] = replace(last, end=part.end, leads=items, joined=last.joined or items)
                continue
            if not part.governed:
                pending = part
                continue
        joined.append(part)
    return [*joined, pending] if pending else joined


def may_join(one: Statement, other: Statement) -> bool:
    """Whether two statements may become one: they stand in one section, and of speech in one turn."""
    return one.section == other.section and (one.block == other.block or SPEECH not in (one.kind, other.kind))


def without_small_talk(text: str, parts: Sequence[Statement]) -> list[Statement]:
    """Without the remarks of speakers that state nothing; the reader has counted them."""
    kept: list[Statement] = []
    asked = False
    sentences = Counter(part.block for part in parts)
    for part in parts:
        words = text[part.start : part.end]
        nothing = part.kind == SPEECH and is_small_talk(words, asked, alone=sentences[part.block] == 1)
        if not nothing:
            kept.append(part)
        asked = not nothing and words.rstrip('"”’»').endswith(("?", "？", "؟"))
    return kept


def is_short(statement: str, language: str) -> bool:
    if is_english(language) and not UNSPACED.search(statement):
        return len(WORD.findall(statement)) < LEAST_WORDS
    return count_words(statement) < LEAST_ELSEWHERE


def says_something(text: str, part: Statement) -> bool:
    """Whether a lead-in is worth learning without its items: "No station shall transmit:" is not."""
    if part.kind == HEADER:
        return False
    words = text[part.start : part.end]
    if part.joined:
        return True
    if not FINISHED.search(words):  # "The Owner may withdraw where the Charterer", before "(a) fails to pay"
        return False
    plain = FOLLOWING.sub("", words.rstrip("*_ "))
    rest = WORD.findall(plain)
    if not rest or UNFINISHED.match(rest[-1]) or BARE_VERB.search(plain):
        return False
    clause = SUBORDINATE.search(plain)
    if clause and clause["tail"].strip(" :") and not VERB.search(clause["tail"]):
        return False
    return max(len(rest), count_words(plain)) >= 8
