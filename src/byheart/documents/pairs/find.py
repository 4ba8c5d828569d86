"""Questions with their answers, and terms with their meanings, as a text itself gives them.

What is found becomes one block, so that no chunk cuts it and no sentence of it is a fact by itself. Precision comes first:
an interview, a dialogue, an exam without answers and a question inside prose give no pair.
"""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from byheart.documents.blocks import ENTRY, ITEM, PAIR, TEXT, Block, Heading
from byheart.documents.languages.language import count_words
from byheart.documents.pairs.glossaries import kind_of_terms, terms
from byheart.documents.pairs.lines import Found, Row, bare, cut, outer, rows_of
from byheart.documents.pairs.question_words import ASIDE, CONTEXT, FOLLOW_UP, GLOSSARY, ROLES, SPEAKS, asks

LONG = 60  # words; the sentences of a longer answer are also facts by themselves
MOST_WORDS = 200  # of an answer; what is longer is an article, not an answer
MOST_ASKED = 60  # words of a question
LEAST_LINES = 3  # that ask, where only their shape shows what they are
LABEL = re.compile(
    r"[*_\s]*(?P<word>[^\s\d:：.．)、*_]{1,12})[ .]?(?:\d{1,3})?[*_]*\s*(?:[:：]|[.．)、](?=[\s*_])|[-–—](?=\s))[*_]*\s*"
)
BOLD = re.compile(r"(\*\*|__)(?P<question>[^*_]+[?？؟])\1[ \t]+(?=\S)")
OPTION = re.compile(r"\(?(?:[A-Ha-h1-8]|[ivIV]{1,3})[.):]")
DEFINES = re.compile(r":[ \t]+(?=\S)")
ENDS = ("?", "？", "؟", ";")  # the last is Greek


def join_pairs(text: str, title: str, headings: Sequence[Heading], blocks: Sequence[Block]) -> list[Block]:
    """The blocks, where each question with its answer and each term with its meaning is one block."""
    sections = list(by_section(text, headings, blocks))
    about = [" ".join([title, *(heading.title for heading in path)]) for path, _ in sections]
    found = [labelled(rows) for _, rows in sections]
    if is_talk([each for own in found for each in own], 1 / 3):
        found = [[] for _ in sections]
    for number, (path, rows) in enumerate(sections):
        found[number] = found[number] or defined(rows) or headed(path, rows)
    lines: list[list[Found]] = [[] if own else questions(rows) for own, (_, rows) in zip(found, sections, strict=True)]
    told = any(map(CONTEXT.search, about))
    if sum(map(len, lines)) >= (1 if told else LEAST_LINES) and are_answered([each for own in lines for each in own]):
        found = [own or [each for each in more if each.answer] for own, more in zip(found, lines, strict=True)]
    found = [own or terms(rows) for own, (_, rows) in zip(found, sections, strict=True)]
    named: list[Found] = []
    for own, words in zip(found, about, strict=True):
        kind = kind_of_terms(own, bool(GLOSSARY.search(words)))
        named += [each if each.kind == PAIR else replace(each, kind=kind) for each in own]
    return rebuilt(text, blocks, named) if named else list(blocks)


def by_section(
    text: str, headings: Sequence[Heading], blocks: Sequence[Block]
) -> Iterator[tuple[list[Heading], list[Row]]]:
    """For each heading with text of its own (and the text before the first) the headings above and the rows."""
    path: list[Heading] = []
    waiting = deque(headings)
    section: list[Row] = []
    for block in blocks:
        if waiting and waiting[0].start < block.start:
            if section:
                yield path, section
            section = []
            while waiting and waiting[0].start < block.start:
                heading = waiting.popleft()
                path = [*(above for above in path if above.level < heading.level), heading]
        section += rows_of(text, block)
    if section:
        yield path, section


def labelled(rows: Sequence[Row]) -> list[Found]:
    """Pairs behind "Q:" and "A:", or such words of another language."""
    roles = {at: role for at, row in enumerate(rows) if row.prose and (role := read_role(row.text))}
    read: list[tuple[bool, int, list[Found]]] = []
    for language in sorted({number for meant, _ in roles.values() for number, _ in meant}):
        own = [Mark(at, dict(meant)[language], end) for at, (meant, end) in roles.items() if language in dict(meant)]
        found = alternating(rows, own)
        sure = len(found) > 1 or any(each.question.endswith(ENDS) for each in found)
        if sure:
            read.append((any(mark.role == "A" for mark in own), len(found), found))
    return max(read, key=lambda one: one[:2], default=(False, 0, []))[2]


@dataclass(frozen=True)
class Mark:
    """A label: the index of its row, "Q" or "A", and its length."""

    at: int
    role: str
    length: int


def read_role(line: str) -> tuple[list[tuple[int, str]], int] | None:
    """What the label of a line can be, with its length: "Q1:" asks in English, "F:" in German."""
    match = LABEL.match(line)
    roles = ROLES.get(match["word"].casefold()) if match else None
    return (roles, match.end()) if match and roles else None


def alternating(rows: Sequence[Row], marks: Sequence[Mark]) -> list[Found]:
    """Each question up to the label of its answer, and the answer up to the next label. Where no answer bears a label, it
    is what follows a question of one line."""
    found = []
    end = Mark(len(rows), "", 0)
    answered = any(mark.role == "A" for mark in marks)
    for mark, reply, after in zip(marks, [*marks[1:], end], [*marks[2:], end, end], strict=False):
        asked = [cut(rows[mark.at], mark.length), *rows[mark.at + 1 : reply.at]]
        if mark.role == "Q" and reply.role == "A":
            answer = [cut(rows[reply.at], reply.length), *rows[reply.at + 1 : after.at]]
            said = own_answer(answer, last=after is end)
        elif not answered and asked[0].text.rstrip("*_ ").endswith(ENDS):
            asked, said = asked[:1], own_answer(asked[1:], last=reply is end)
        else:
            continue
        question = bare(" ".join(row.text for row in asked))
        if said and question and len(question.split()) <= MOST_ASKED:
            found.append(Found(outer(rows[mark.at]), question, said))
    return found if answered or len(found) > 1 else []


def own_answer(rows: Sequence[Row], last: bool) -> tuple[Row, ...]:
    """The rows that answer, () where they are none: empty lines to write on, options to choose from, a table. Behind the
    `last` question only the next paragraph is sure to answer it."""
    prose: list[Row] = []
    for row in rows:
        if not row.prose:
            break
        if last and prose and row.block != prose[0].block and not is_listed(row, prose[-1]):
            break
        prose.append(row)
    prose = [row for row in prose if row.text or row is not prose[0]]
    if not prose or (len(prose) < len(rows) and prose[-1].text.rstrip("*_ ").endswith((":", "："))):
        return ()
    words = [count_words(row.text) for row in prose]
    if sum(words) > MOST_WORDS:
        prose = [row for row in prose if row.block == prose[0].block]
    said = " ".join(row.text for row in prose)
    choices = [row for row in prose if OPTION.match(row.block.label if row.first and row.block.label else row.text)]
    nothing = not any(map(str.isalnum, said)) or ASIDE.fullmatch(bare(said))
    return () if nothing or len(choices) > 1 or count_words(said) > MOST_WORDS else tuple(prose)


def is_listed(row: Row, above: Row) -> bool:
    """Whether an item belongs to the list that the answer announces or has begun."""
    return row.block.kind == ITEM and (above.block.kind == ITEM or above.text.rstrip("*_ ").endswith((":", "：")))


def headed(path: Sequence[Heading], rows: Sequence[Row]) -> list[Found]:
    """The heading that asks, with the short text below it."""
    title = path[-1].title if path else ""
    role = read_role(title)
    question = bare(title[role[1] :] if role else title)
    if not question.endswith(ENDS) or not (role or asks(question)):
        return []
    answer = read_role(rows[0].text) if rows[0].prose else None
    begun = [cut(rows[0], answer[1]), *rows[1:]] if answer and any(role == "A" for _, role in answer[0]) else rows
    short = sum(count_words(row.text) for row in rows) <= MOST_WORDS
    said = own_answer(begun, last=False) if short else ()
    found = [Found(outer(rows[0]), question, said)] if said else []
    return [] if is_talk(found, 0.5) else found


def defined(rows: Sequence[Row]) -> list[Found]:
    """Markdown's definition lists: a line, and behind it lines that begin with ": "."""
    heads = [
        at
        for at, (row, below) in enumerate(pairwise(rows))
        if row.prose and below.prose and DEFINES.match(below.text) and not DEFINES.match(row.text)
    ]
    found = []
    for at, end in pairwise([*heads, len(rows)]):
        row = rows[at]
        said = [rows[at + 1]]
        for below in rows[at + 2 : end]:
            if below.block != said[-1].block and not DEFINES.match(below.text):
                break
            said.append(below)
        said = [cut(each, match.end()) if (match := DEFINES.match(each.text)) else each for each in said]
        name = bare(row.text)
        if name.endswith(ENDS) and own_answer(said, last=False):
            found.append(Found(outer(row), name, tuple(said)))
        elif len(name.split()) <= 8 and len(name) <= 80:
            found.append(Found(outer(row), name, tuple(said), ENTRY))
    return found


def questions(rows: Sequence[Row]) -> list[Found]:
    """Lines that ask, each the first of its paragraph, with what follows; also those without an answer."""
    starts = [(at, end) for at, row in enumerate(rows) if row.prose and row.first and (end := asked_in(row))]
    found = []
    for (at, length), (end, _) in pairwise([*starts, (len(rows), 0)]):
        row = rows[at]
        rest = [cut(row, length)] if length < len(row.text) else []
        said = own_answer([*rest, *rows[at + 1 : end]], last=end == len(rows))
        few = len({each.block.start for each in said}) <= 4
        fits = said and said[0].text[:1] != "(" and few and not said[-1].text.rstrip("*_ ").endswith(ENDS)
        if not rest and at + 1 < end and rows[at + 1].block != row.block and rows[at + 1].block.kind != TEXT:
            fits = False  # "What did she buy?" above a list to choose from
        found.append(Found(outer(row), bare(row.text[:length]), said if fits else ()))
    return found


def asked_in(row: Row) -> int:
    """The length of the question that is all of the line, or stands before the answer in bold; 0 where there is none."""
    if match := BOLD.match(row.text):
        return match.end() if asks(match["question"]) else 0
    words = bare(row.text)
    single = words.endswith(ENDS[:3]) and not re.search(r"[.!?。！？؟][\"”’)]?\s+\S", words)
    return len(row.text) if single and len(words.split()) <= 30 and asks(words) else 0


def are_answered(found: Sequence[Found]) -> bool:
    """Whether lines that ask are the questions of a list with answers: nearly all have one, and nobody talks."""
    answered = [each for each in found if each.answer]
    return len(answered) >= 0.8 * len(found) and not is_talk(answered, 0.2)


def is_talk(found: Sequence[Found], most: float) -> bool:
    """Whether two people speak: answers say "I" or ask back, questions hang on what was said before."""
    talk = sum(
        bool(SPEAKS.search(each.said) or FOLLOW_UP.match(each.question) or each.said.endswith(ENDS[:3]))
        for each in found
    )
    return talk > most * len(found)


def rebuilt(text: str, blocks: Sequence[Block], found: Sequence[Found]) -> list[Block]:
    """The blocks with those of each pair in one. Of a long answer only the first paragraph is: what follows stays."""
    made = []
    for each in found:
        own = each.answer
        short = count_words(each.said) <= LONG
        last = own[-1] if short else [row for row in own if row.block == own[0].block][-1]
        made.append(Block(each.start, own[0].start, last.end, each.kind, question=each.question, answer=each.said))
    made.sort(key=lambda block: block.start)
    starts, ends = [block.start for block in made], [block.end for block in made]
    kept: list[Block] = []
    for block in blocks:
        inside = made[bisect_right(ends, block.start) : bisect_left(starts, block.end)]
        kept += around(text, block, inside) if inside else [block]
    return sorted([*kept, *made], key=lambda block: block.start)


def around(text: str, block: Block, made: Sequence[Block]) -> Iterator[Block]:
    """What of a block stands before, between and behind the new ones."""
    if block.start < made[0].start and text[block.body : made[0].start].strip():
        yield replace(block, end=block.start + len(text[block.start : made[0].start].rstrip()))
    for new, end in zip(made, [*(below.start for below in made[1:]), block.end], strict=True):
        rest = text[new.end : end].lstrip(" \t\n>") if new.end < end else ""
        if rest.strip():
            yield Block(end - len(rest), end - len(rest), end - len(rest) + len(rest.rstrip()), TEXT, block.indent)
