"""A table in the making: rows of cells with their places in the text, the names of the columns, and the blocks made of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from byheart.documents.blocks import CAPTION, HEADER, TEXT, Block, Cell
from byheart.documents.languages.language import count_words
from byheart.documents.pairs.lines import bare

LONG = 60  # words; a longer cell is prose of its own, and its sentences are facts
LEAST_SAID = 8  # words of a caption that says something by itself
NOTHING = re.compile(
    r"(?:[-–—.…?*/\s]+|n\.? ?/? ?a\.?|nil|none|null|nan|[\"″〃”])?", re.IGNORECASE
)  # what an empty cell holds
FIGURE = re.compile(r"[~≈<>≤≥+−–-]?\s?(?:[$€£¥]|[A-Z]{3} )?\s?\d")
_MONTHS = r"(?:(?:jan|febr?)(?:uary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|(?:oct|nov|dec)(?:o?(?:em)?ber)?)"
DATE = re.compile(
    rf"(?:{_MONTHS}\.? )?\d[\d.,:/'’\s-]*(?:[a-z]{{0,2}}|%|[ap]\.?m\.?)|{_MONTHS} \d+, \d{{4}}", re.IGNORECASE
)
INDEX = re.compile(
    r"#|№|n[or]\.?|nº|id|rank|pos(?:ition)?\.?|place|(?:\w+[ _])?(?:number|id|no\.?|nr\.?|code)", re.IGNORECASE
)
BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
MARKER = re.compile(r"(?:[-*+•‣▪·–—o]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)])$")


@dataclass(frozen=True)
class Piece:
    """The words of a cell: `text[start:end]` may hold more than `words`, as a table of several lines for a row."""

    start: int
    end: int
    words: str


@dataclass(frozen=True)
class Line:
    """A row as it stands: its span, and its cells from the left."""

    start: int
    end: int
    pieces: tuple[Piece, ...]

    @property
    def words(self) -> list[str]:
        return [piece.words for piece in self.pieces]


@dataclass(frozen=True)
class Table:
    """Lines `first` to `last` of a text. Without names of columns, the first column says what a row is about."""

    first: int
    last: int
    kind: str
    rows: tuple[Line, ...]
    header: Line | None = None
    names: tuple[str, ...] = ()
    caption: Piece | None = None


def joined_pieces(parts: Sequence[Sequence[Piece]], start: int) -> list[Piece]:
    """The cells of a row that takes several lines; `parts` are the cells of each line."""
    columns: list[list[Piece]] = [[] for _ in range(max(map(len, parts)))]
    for part in parts:  # not column by column, as one line may be far wider than the others
        for own, piece in zip(columns, part, strict=False):
            if piece.words:
                own.append(piece)
    pieces = []
    for own in columns:
        place = own[0].start if own else start
        end = own[0].end if own and len(parts) == 1 else place
        pieces.append(Piece(place, end, " ".join(piece.words for piece in own)))
    return pieces


def read_words(raw: str) -> str:
    """What a cell says, without escapes, marks of emphasis and line breaks."""
    return bare(BREAK.sub(" ", raw).replace("\\|", "|"))


def column_name(words: str) -> str:
    """ "tasting_notes" is "tasting notes"; all other names stay as they are."""
    words = words.strip().rstrip(":").rstrip()
    return words.replace("_", " ") if " " not in words and re.fullmatch(r"\w+", words) else words


def is_figure(words: str) -> bool:
    """Whether a cell holds a number, an amount, a date or a time."""
    return bool(FIGURE.match(words) or DATE.fullmatch(words))


def columns_of(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The cells of each column that are not empty."""
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in rows:  # not column by column: a wide table with short rows would take the product of both
        for own, cell in zip(columns, row, strict=False):
            if not NOTHING.fullmatch(cell):
                own.append(cell)
    return columns


def heads(first: Sequence[str], body: Sequence[Sequence[str]], sure: bool = False) -> bool:
    """Whether the first row names the columns of those below. `sure`: a file of rows, where most first rows do."""
    names = [name.casefold() for name in first]
    if len(names) < 2 or not body or len(set(names)) < len(names) or not all(names[1:]) or not fit_for_names(first):
        return False
    columns = columns_of(body, len(first))
    if any(is_figure(name) for name in first):
        steps = [int(name) for name in first[1:] if re.fullmatch(r"1\d{3}|20\d\d", name)]
        even = {after - before for before, after in pairwise(steps)}
        return len(steps) == len(first) - 1 > 1 and len(even) == 1 and not is_figure(first[0])
    if any(sum(map(is_figure, own)) >= 0.7 * len(own) > 0 for own in columns):
        return True
    repeated = any(name in {word.casefold() for word in own} for name, own in zip(names, columns, strict=True))
    return not repeated and (sure or (len(first) >= 3 and are_plain(first)))


def fit_for_names(cells: Sequence[str]) -> bool:
    short = all(
        len(cell) <= 50 and len(cell.split()) <= 7 and cell[:1] not in ("|", '"', "“", "<", "[") for cell in cells
    )
    ended = any(re.search(r"[:;,!?]$|\w{5,}\.$", cell) for cell in cells)
    return short and not ended and not any(MARKER.match(cell) for cell in cells)


def are_plain(cells: Sequence[str]) -> bool:
    """Whether cells look like names even above words: "Name", "Place of birth", or "name", "place_of_birth"."""
    full = [cell for cell in cells if cell]
    plain = all(re.fullmatch(r"[^\W\d_][\w .%#&/()'’°–-]*", cell) and len(cell.split()) <= 4 for cell in full)
    return plain and (all(not cell[0].islower() for cell in full) or all(" " not in cell for cell in full))


def with_names(table: Table) -> Table:
    """The table with the names of its columns from its header. What only entitles a table of two columns names none."""
    if table.header is None:
        return table
    words = table.header.words
    if len(words) == 2 and not words[1]:
        return replace(table, names=())
    rows = table.rows
    if len(rows) > 1 and is_second_header(words, rows[0].words):
        words = join_headers(words, rows[0].words)
        table = replace(table, header=replace(table.header, end=rows[0].end), rows=rows[1:])
    return replace(table, names=tuple(map(column_name, words)))


def is_second_header(above: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the row below completes the names above: "", "2021", "2022" under "Month", "Level (m)", ""."""
    shared = not all(above[1:]) or len(set(above)) < len(above)
    filled = len(below) == len(above) and not below[0] and all(below[1:])
    return shared and filled and all(not is_figure(name) or re.fullmatch(r"1\d{3}|20\d\d", name) for name in below[1:])


def join_headers(above: Sequence[str], below: Sequence[str]) -> list[str]:
    names, spanning = [above[0]], ""
    for upper, lower in zip(above[1:], below[1:], strict=True):
        spanning = upper or spanning
        names.append(f"{spanning} {lower}".strip())
    return names


def name_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The column whose values name the rows: the first, unless it only numbers them or repeats itself beside a better one."""
    if not any(rows):
        return 0
    first = [row[0] if row else "" for row in rows]
    counted = first == [str(number) for number in range(1, len(first) + 1)]
    numbers = all(re.fullmatch(r"[\w-]*\d[\w-]*\.?", word) for word in first)
    index = numbers and (counted or bool(names and INDEX.fullmatch(names[0])))
    if not index and (len(set(first)) == len(first) or all(map(is_figure, first))):
        return 0
    for at, own in enumerate(zip(*(row[1:] for row in rows), strict=False), 1):  # a name stands in every row
        said = [word for word in own if word and not is_figure(word)]
        short = sum(len(word.split()) for word in own) <= 5 * len(own) and sum(map(len, own)) >= 3 * len(own)
        if len(said) == len(own) == len(set(own)) and short and (index or (names and names[at])):
            return at
    return 0


def filled_down(rows: Sequence[Line]) -> tuple[Line, ...]:
    """Rows where an empty first cell stands for the one above it, as a cell that spans several rows is written."""
    firsts = [row.words[0] if row.pieces else "" for row in rows]
    if not firsts or not firsts[0] or all(firsts) or sum(map(bool, firsts)) < 2:
        return tuple(rows)
    if any(
        not first and (len(row.pieces) < 3 or not all(row.words[1:3])) for first, row in zip(firsts, rows, strict=True)
    ):
        return tuple(rows)
    full, last = [], rows[0].pieces[0]
    for row in rows:
        last = row.pieces[0] if row.words[0] else last
        full.append(replace(row, pieces=(last, *row.pieces[1:])))
    return tuple(full)


def to_blocks(table: Table) -> Iterator[Block]:
    """The blocks of a table, in order: its caption, its header, each row; and the cells that are prose of their own."""
    table = with_names(table)
    caption = table.caption
    if caption and count_words(caption.words) >= LEAST_SAID:
        yield Block(caption.start, caption.start, caption.end, CAPTION)
        caption = None
    if table.header:
        start = (caption or table.header).start
        yield Block(start, start, table.header.end, HEADER)
    rows = filled_down(table.rows)
    name = name_column(table.names, [row.words for row in rows])
    for row in rows:
        yield from row_blocks(table, row, name)


def row_blocks(table: Table, row: Line, name: int) -> list[Block]:
    names, pieces = table.names, row.pieces
    long = {
        at for at, each in enumerate(pieces) if at != name and each.start < each.end and count_words(each.words) > LONG
    }
    order = [name, *(at for at in range(len(pieces)) if at != name)] if name < len(pieces) else range(len(pieces))
    cells = tuple(
        Cell(names[at] if at < len(names) else "", "" if at in long else pieces[at].words, pieces[at].start)
        for at in order
    )
    blocks = [Block(pieces[at].start, pieces[at].start, pieces[at].end, TEXT) for at in sorted(long)]
    # The row is where its first short cells stand: no block crosses another.
    runs = [list(own) for is_long, own in groupby(range(len(pieces)), long.__contains__) if not is_long]
    run = next((own for own in runs if any(pieces[at].words for at in own)), None)
    if run:
        start = row.start if run[0] == 0 else pieces[run[0]].start
        end = row.end if run[-1] == len(pieces) - 1 else pieces[run[-1]].end
        blocks.append(Block(start, start, end, table.kind, cells=cells))
    return sorted(blocks, key=lambda block: block.start)
