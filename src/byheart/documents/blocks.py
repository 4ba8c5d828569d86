"""What a text is made of: headings, and between them blocks."""

from dataclasses import dataclass

# What a block is. The reader decides it once; facts and rules act by it.
TEXT, ITEM = "text", "item"  # prose, and a list item with its marker
HEADER, ROW = "header", "row"  # of a table: the names of its columns, and a line below them
RECORD = "record"  # a row of values under a header without marks (tabs, aligned columns), or a stanza of "name: value"
CODE, FORMULA = "code", "formula"
SPEECH = "speech"  # what one speaker says; its label is the speaker
NOTE, CAPTION = "note", "caption"  # a footnote, and the words under a picture or table
PAIR, DEFINITION, ENTRY = "pair", "definition", "entry"
PAIRED = (
    PAIR,
    DEFINITION,
    ENTRY,
)  # a question with its answer, a term with its meaning, a name with what is said of it


@dataclass(frozen=True)
class Heading:
    """A heading with its marks: `text[start:end]`; level 0 is the document's title, 1 the outermost below it."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True)
class Cell:
    """One value of a row or record, under the name of its column."""

    column: str  # "" where the table has no name for it
    value: str  # without marks of emphasis, on one line; "" where the cell is empty
    start: int  # where it begins in the document


@dataclass(frozen=True)
class Block:
    """A stretch of text that no sentence crosses. `body` is where it begins behind the marker `label`."""

    start: int
    body: int
    end: int
    kind: str  # one of the kinds above
    indent: int = 0
    label: str = ""
    question: str = ""  # of a pair, without its marks; `body` is then where the answer begins
    answer: str = ""  # all of it, which may end in a later block
    cells: tuple[Cell, ...] = ()  # of a row or record, the one that names it first


@dataclass(frozen=True)
class Line:
    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True)
class Outline:
    """Headings and blocks, both in order."""

    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
