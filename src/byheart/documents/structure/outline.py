"""The structure of a text: its headings, and between them its blocks (paragraphs, list items, table rows, code).

Markdown's marks are always read. (markdown-it-py finds the same headings and tables, but no "(a)" as a list item, no
character offsets, and takes text that is indented by four spaces for code.) Plain text has none, so where a text has at most one of them, lines that stand alone
and look like headings ("§ 97.1 Purpose.", "Chapter 3", "1.2 Scope", "GENERAL RULES") count too.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise, zip_longest

from byheart.documents.blocks import CODE, ITEM, SPEECH, TEXT, Block, Heading, Line, Outline
from byheart.documents.languages.sentences import VERB
from byheart.documents.pairs.find import join_pairs
from byheart.documents.speech.marks import TURN
from byheart.documents.structure.apart import read_apart
from byheart.documents.structure.numbering import ENDED, LED, Numbering, named_labels, paragraph_numbers, titles_between
from byheart.documents.tables.find import find_tables
from byheart.documents.tables.sheets import join_sheets

__all__ = ["Block", "Heading", "Outline", "outline"]

MAX_HEADING = 200  # characters; a longer line is text, whatever its marks
ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(={3,}|-{3,})[ \t]*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:=[ \t]*){3,})$")
TABLE_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*(?:[:-]+\s*)?)*$")

ROMAN = r"[ivxlc]{2,6}|[IVXLC]{2,6}"
NUMBER = rf"(?:\d{{1,3}}|[A-Za-zа-яё]|aa|bb|cc|dd|ee|{ROMAN})"
TITLE_WORD = r"[\"“(]?(?:[A-Z][a-z]{2,}|A|An|In|If|On|At|It|No|To)\b"
MARKER = re.compile(
    rf"(?:(?:[-*+•‣▪·–—][ \t]+)?(?:\[[ xX]\][ \t]+)|[-*+•‣▪·–—][ \t]+|[◦○●■□▶►➢➤✓✔☐☑☒][ \t]*"
    rf"|（[一二三四五六七八九十\d]{{1,3}}）[ \t\u3000]*|(?:[一二三四五六七八九十]{{1,3}}|\d{{1,3}})、[ \t\u3000]*|[①-⑳][ \t]*|\({NUMBER}\)[ \t]*|{NUMBER}\)[ \t]+|\d{{1,3}}\.[ \t]+"
    rf"|\d{{1,3}}(?:\.\d{{1,3}})+\.?[ \t]+(?={TITLE_WORD})|(?:[A-Za-z]|{ROMAN})\.[ \t]+)"
)
BULLET = re.compile(r"[-*+•‣▪·–—][ \t]|[◦○●■□▶►➢➤✓✔☐☑☒]|\[[ xX]\][ \t]")
LETTER = re.compile(r"([A-Za-z])\.[ \t]")

TERM = re.compile(
    r"[\"“„«]([^\"“”„«»]{1,60})[\"”“»],?\s+(?:means?|has|have|shall|refers?|includes?|is|are|bedeutet|bezeichnet|désigne)\b"
)
LEADS_ON = re.compile(r"(?:\(?\w{1,4}[.)]|\d{1,3}(?:\.\d{1,3})+)[ \t]+[a-zß-ÿ]")
RUNS_IN = re.compile(r"\w{3,}\.\s+[A-Z]\w*(?:\s+\w+){2}")
GOES_ON = re.compile(r"[;,][ \t]*(?:and|or|und|oder|et|ou)?[ \t]*$")
DONE = re.compile(r"[.!?。！？][\"”’)]*\s*$")
DANGLES = re.compile(
    r"\b(?:and|or|the|an?|of|to|by|in|on|at|for|with|that|if|is|are|und|oder|der|die|das|et|ou|de|la|le)$"
)
# Behind these a number belongs to the sentence: "the test of clause", "nach § 4 Abs."
REFERS = re.compile(
    r"(?:\b(?:(?:sub-?)?(?:section|paragraph|article|clause|part|point|item|rule)s?|schedules?|artikels?|absatz|abs\.|ziffern?|"
    r"nummern?|nr\.|satz|alinéas?)|§)[ \t]*$",
    re.IGNORECASE,
)
PRECEDES = re.compile(r"\b(?:under|see|by|of|with|vom|zum|nach|gemäß|du|de|selon)[ \t]*$", re.IGNORECASE)
FIRST = re.compile(r"\(?(?:[aiAI]|1)[.)]")
NAMED = re.compile(
    r"(part|title|book|chapter|appendix|annex|schedule|subpart|article|section|sec\.|§{1,2}|kapitel|teil|abschnitt|artikel|anhang"
    r"|chapitre|titre|partie|annexe|cap[ií]tulo|t[ií]tulo|parte|secci[oó]n|art[ií]culo|artigo|anexo|capitolo|titolo|sezione|articolo"
    r"|глава|часть|раздел|статья)\s*"
    r"([\dIVXLC]+(?:[.-][\dA-Za-z]+)*|[A-Z])\b(?:\s*[.:–—-]\s*|\s+(?=[\"“\[(]?[A-ZÀ-ÞА-ЯЁ])|$)(?!\()",
    re.IGNORECASE,
)
CHAPTER = re.compile(r"第\s?[\d一二三四五六七八九十百〇零]+\s?([编編部篇章节節条條])")  # of Chinese and Japanese texts
NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,4})\.?[ \t]+(?=[\"“]?[A-ZÀ-ÞА-ЯЁ\u3400-\u9fff가-힣])")
NAMED_LEVEL = {"part": 1, "title": 1, "book": 1, "chapter": 2, "appendix": 2, "annex": 2, "schedule": 2, "subpart": 2}
NAMED_LEVEL |= dict.fromkeys("teil partie parte часть titre título titulo titolo 编 編 部 篇".split(), 1)
NAMED_LEVEL |= dict.fromkeys("kapitel chapitre capítulo capitulo capitolo глава раздел 章".split(), 2)
CAPITALS_LEVEL, SECTION_LEVEL, NUMBERED_LEVEL, CAPTION_LEVEL = 3, 4, 5, 10
SENTENCE_ENDS = (".", "!", "?", '."', ".”", ".)", "。", "！", "？", "।", "۔", "؟")


@lru_cache(maxsize=2)  # chunks, facts and places of a document are found one after the other
def outline(text: str, title: str = "") -> Outline:
    """The structure of a text. In a text of headings only, the headings are paragraphs, so that nothing is lost."""
    lines = lines_of(text)
    fenced = find_fenced(lines)
    tables = find_tables(lines, fenced)
    headings = find_headings(lines, fenced, title, tables)
    blocks = find_blocks(lines, fenced, headings, tables)
    if not blocks:
        return Outline((), tuple(find_blocks(lines, fenced, {}, tables)))
    ordered = [headings[index] for index in sorted(headings)]
    blocks = [set_apart(text, block) for block in blocks]
    return Outline(tuple(ordered), tuple(join_pairs(text, title, ordered, join_sheets(text, ordered, blocks))))


def empty_headings(text: str, title: str) -> list[str]:
    """The titles of headings without text or further headings below them; none where a text is headings only."""
    lines = lines_of(text)
    fenced = find_fenced(lines)
    found = find_headings(lines, fenced, title)
    indices = sorted(found)
    empty: list[str] = []
    for index, after in zip_longest(indices, indices[1:], fillvalue=len(lines)):
        closed = after == len(lines) or found[after].level <= found[index].level
        if closed and not any(map(has_text, (line.text for line in lines[index + 1 : after]))):
            empty.append(found[index].title)
    return empty if len(empty) < len(found) else []


def has_text(line: str) -> bool:
    return not (UNDERLINE.match(line) or RULE.match(line)) and any(map(str.isalnum, line))


def lines_of(text: str) -> list[Line]:
    return [Line(match.start(), match.end(), match.group()) for match in re.finditer(r"[^\n]+|(?<=\n)(?=\n)", text)]


def set_apart(text: str, block: Block) -> Block:
    """A footnote, caption or formula in place of a paragraph."""
    found = read_apart(text, block.start, block.end) if block.kind == TEXT else None
    return replace(block, kind=found[0], body=found[1], label=found[2]) if found else block


def find_fenced(lines: list[Line]) -> dict[int, bool]:
    """Indices of the lines of fenced code; True for the fences themselves."""
    fenced: dict[int, bool] = {}
    fence = ""
    for index, line in enumerate(lines):
        match = FENCE.match(line.text)
        if fence:
            closing = bool(match and match[1].startswith(fence) and not line.text.strip().strip(fence[0]))
            fenced[index] = closing
            fence = "" if closing else fence
        elif match:
            fenced[index] = True
            fence = match[1]
    # A fence that is never closed is none.
    opening = max(index for index, is_fence in fenced.items() if is_fence) if fence else len(lines)
    return {index: is_fence for index, is_fence in fenced.items() if index < opening}


def find_headings(
    lines: list[Line], fenced: dict[int, bool], title: str, tables: Collection[int] = ()
) -> dict[int, Heading]:
    """Headings by the index of their (first) line."""
    found: dict[int, Heading] = {}
    for index, line in enumerate(lines):
        if index in fenced or index in tables or line.blank or len(line.text) > MAX_HEADING or TURN.match(line.text):
            continue
        if (match := ATX.match(line.text)) and match[2].strip("# \t"):
            found[index] = Heading(line.start, line.end, len(match[1]), match[2].strip())
        elif is_alone(lines, index, below=False) and not MARKER.match(line.text) and index + 1 < len(lines):
            underline = UNDERLINE.match(lines[index + 1].text)
            if underline and not RULE.match(line.text) and "|" not in line.text:
                level = 1 if underline[1][0] == "=" else 2
                found[index] = Heading(line.start, lines[index + 1].end, level, line.text.strip())
    if len(found) <= 1:
        for index, heading in find_plain_headings(lines, fenced, title, tables).items():
            found.setdefault(index, heading)
        return found
    written = [index for index, line in enumerate(lines) if not line.blank and index not in fenced]
    return found | titles_between(lines, written, found)


def find_plain_headings(
    lines: list[Line], fenced: dict[int, bool], title: str, tables: Collection[int] = ()
) -> dict[int, Heading]:
    found: dict[int, Heading] = {}
    written = [index for index, line in enumerate(lines) if not line.blank and index not in fenced]
    index_above, ends_well = -1, True
    for index, following in pairwise(written):  # the last line heads nothing
        line = lines[index]
        words = line.text.strip()
        if len(words) > 120 or index in tables or TURN.match(words):
            continue
        if lines[following].text.lstrip().startswith(": "):  # a term above its meaning
            continue
        above = is_alone(lines, index, below=False) or (index - 1) in found
        alone = above and is_alone(lines, index, above=False)
        level = None
        if index == written[0] and alone and words == title:
            level = 0
        elif (match := NAMED.match(words)) and (above or ends_well) and names_section(words, lines, index, above):
            # "§ 1 Fees are due." before "§ 2 Fines are too.": those are rules, and a heading would hide them.
            ruled = NAMED.match(lines[following].text.strip()) or VERB.search(words)
            if not (words.endswith(".") and len(words.split()) > 3 and ruled):
                level = NAMED_LEVEL.get(match[1].lower(), SECTION_LEVEL)
        elif (
            above
            and words[-1] not in ".,;:!?。，；：！？"
            and is_chapter(words, alone)
            and (match := CHAPTER.match(words))
        ):
            level = NAMED_LEVEL.get(match[1], SECTION_LEVEL)
        elif (above or ends_well) and is_numbered_above(words, lines[following].text):
            level = NUMBERED_LEVEL + words.split()[0].strip(".").count(".")
        elif alone and words[-1] not in ".,;:!?" and len(words.split()) <= 12:
            letters = [letter for letter in words if letter.isalpha()]
            if LEADS_ON.match(lines[following].text.lstrip()):  # "6.2 The Tenant must leave where the rent"
                level = None
            elif match := NUMBERED.match(words):
                depth = match[1].count(".")
                beside = NUMBERED.match(lines[following].text.strip())
                if depth or not (beside and "." not in beside[1]):  # "1. Apples", "2. Pears" are a list
                    level = NUMBERED_LEVEL + depth
            elif len(letters) >= 4 and words.upper() == words and words.lower() != words and not MARKER.match(words):
                level = CAPITALS_LEVEL
            elif is_caption(words, "" if following in tables else lines[following].text) and (
                (ends_well or index_above in found) and not read_apart(words, 0, len(words))
            ):
                level = CAPTION_LEVEL
        index_above, ends_well = index, words.endswith(SENTENCE_ENDS)
        if level is not None:
            found[index] = Heading(line.start, line.end, level, words)
    return found


def is_chapter(words: str, alone: bool) -> bool:
    """Whether a line like "第三条（目的）" is a heading: a short one also where its text follows on the next line."""
    return bool(CHAPTER.match(words)) and len(words) <= (40 if alone else 20) and not re.search("[，。；：、]", words)


def names_section(words: str, lines: list[Line], index: int, above: bool) -> bool:
    """Whether a line that begins like "Section 4" is a heading, and not the first line of a sentence. Where no blank line
    stands `above`, it must be short."""
    if len(words.split()) > (15 if above else 6) or words[-1] in ",;" or (not above and words[-1] in ".:"):
        return False
    if RUNS_IN.search(words):  # "Section 2.01 Transfers. No member may sell"
        return False
    below = lines[index + 1].text.strip() if index + 1 < len(lines) else ""
    return not (below and (below[0].islower() or DANGLES.search(words)))


def is_numbered_above(words: str, below: str) -> bool:
    """Whether a line heads the clauses below it, also without blank lines: "2. Price" above "2.1 The Buyer pays ..."."""
    match = NUMBERED.match(words)
    short = len(words.split()) <= 12 and words[-1] not in ".,;:!"
    # Below "3.3 The Owner may withdraw where the Charterer", "3.3.1 fails to pay" goes on with the sentence.
    child = rf"{re.escape(match[1])}\.1[.)]?\s+(?P<first>\S)" if match and short else ""
    found = re.match(rf"{child}|\(1\)\s+(?P<inner>\S)", below.lstrip()) if child else None
    if found is None:
        # "1. The court" above "The court is twelve metres long.": a line that was not broken for want of room.
        below = below.strip()
        titled = bool(child) and len(words.split()) <= 6 and not VERB.search(words) and len(words) < 0.6 * len(below)
        return titled and below[:1].isupper() and not NUMBERED.match(below) and not MARKER.match(below)
    return not (found["first"] or found["inner"]).islower()


def is_caption(words: str, below: str) -> bool:
    """Whether a line that stands alone names the text below: "Care of the pump", above whole sentences or a table ("")."""
    short = len(words.split()) <= 8 and words[0].isupper() and not VERB.search(words) and not MARKER.match(words)
    long = not below or (len(below) >= 1.5 * len(words) and below.lstrip()[:1].isupper())
    return short and long and "|" not in words


def is_alone(lines: list[Line], index: int, above: bool = True, below: bool = True) -> bool:
    """Whether blank lines (or the ends of the text) enclose the line, on the sides asked for."""
    clear_above = index == 0 or lines[index - 1].blank
    clear_below = index + 1 >= len(lines) or lines[index + 1].blank
    return (clear_above or not above) and (clear_below or not below)


def find_blocks(
    lines: list[Line], fenced: dict[int, bool], headings: dict[int, Heading], tables: dict[int, tuple[Block, ...]]
) -> list[Block]:
    letters = {match[1] for line in lines if (match := LETTER.match(line.text.lstrip()))}
    written = [index for index in range(len(lines)) if index not in fenced and index not in headings]
    named = named_labels(lines, written) | paragraph_numbers(lines, written)
    numbering, above, led = Numbering(), "", False
    width = max((line.end - line.start for line in lines), default=0)
    blocks: list[Block] = []
    open_kind = ""  # the kind of the block that the next line may continue; "" after a blank line or a heading
    heading_end = -1
    margin = 0  # of the last fence
    for index, line in enumerate(lines):
        if index in headings:
            heading_end = headings[index].end
            numbering.note(headings[index].title, heading=True)
            above = ""
        if index in tables:
            blocks += tables[index]
            open_kind = above = ""
            continue
        code = index in fenced and not fenced[index]
        if fenced.get(index):
            margin = len(line.text) - len(line.text.lstrip())
        stripped = line.text if code else line.text.lstrip(" \t>")
        if code and line.blank:
            continue
        mark = index in fenced or RULE.match(line.text) or is_table_rule(line.text)
        if not code and (mark or not stripped.strip() or line.start < heading_end):
            open_kind = ""
            continue
        end = line.start + len(line.text.rstrip())
        label = ""
        if code:
            kind = CODE
        elif turn := TURN.match(stripped):
            kind, label, above = SPEECH, turn[0], ""
        else:
            label = read_label(stripped, letters)
            if open_kind and not may_interrupt(stripped, lines[index - 1].text, open_kind == ITEM):
                label = ""
            label = label or numbering.read(stripped, above, wrapped=bool(open_kind)) or named.get(index, "").lstrip()
            label += read_label(stripped[len(label) :], letters) if label else ""
            numbering.note(label)
            kind = ITEM if label else TEXT
            if kind == TEXT and TERM.match(stripped):
                beside = blocks and blocks[-1].kind == ITEM and not blocks[-1].label and not open_kind
                kind = ITEM if above and (beside or LED.search(above) or GOES_ON.search(above)) else TEXT
            led = (led or not DONE.search(above)) if kind == ITEM and above else led and bool(open_kind)
            # "(b) is late,\nthe Buyer may refuse it": a short line was not broken for want of room.
            short = len(above) < 0.6 * width and above.rstrip().endswith((",", ";"))
            if kind == TEXT and open_kind == ITEM and led and short and stripped[0].islower():
                open_kind = ""
            above = stripped
        if blocks and (open_kind == kind == CODE or (kind == TEXT and open_kind in (TEXT, ITEM))):
            blocks[-1] = replace(blocks[-1], end=end)
            continue
        start = line.end - len(stripped)
        indented = line.text.expandtabs(4)
        indent = margin if code else len(indented) - len(indented.lstrip())
        blocks.append(
            Block(start, min(start + len(label), end), end, kind, indent, " ".join(label.rstrip(":\u00a0").split()))
        )
        open_kind = kind
    return blocks


def is_table_rule(line: str) -> bool:
    return "|" in line and TABLE_RULE.match(line) is not None


def read_label(line: str, letters: set[str]) -> str:
    """The list markers at the line's beginning, with the blanks behind them; "" where nothing follows them."""
    position = 0
    while match := MARKER.match(line, position):
        letter = LETTER.match(match.group())
        # "E. coli lives in the gut." is no item; an item has a neighbour "D." or "F." somewhere.
        if letter and not letters & {chr(ord(letter[1]) - 1), chr(ord(letter[1]) + 1)}:
            break
        position = match.end()
    return line[:position] if position < len(line.rstrip()) else ""


def may_interrupt(line: str, above: str, listed: bool) -> bool:
    """Whether a marker opens an item below a line of a paragraph or (where `listed`) of an item: "as in\\n(b) of this part"
    is only a wrapped line."""
    if BULLET.match(line) or ENDED.search(above):
        return True
    return listed and not REFERS.search(above) and bool(FIRST.match(line) or not PRECEDES.search(above))
