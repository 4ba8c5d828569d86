"""Examples from the rows of tables and records: each cell asked for by its column, and the row asked for by its cells."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest

from byheart.documents.tables.grid import NOTHING, is_figure
from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.columns import MANY, ONE, Column, read_column
from byheart.expansion.rules.questions import BLANK, Draft, name_sources, place_in_words
from byheart.records import FORWARD, REVERSE, Fact, row_in_words

# What a cell ticks, and what it says then.
ANSWERS = dict.fromkeys("✓✔☑✅", "Yes") | dict.fromkeys("✗✘☒❌✕✖", "No")
ANSWERS |= {"yes": "Yes", "no": "No", "true": "True", "false": "False"}
CHOICES = {"yes": "yes or no", "no": "yes or no", "true": "true or false", "false": "true or false"}
TICKS = {"x", "•", "●"}
LONG = 12  # words of a value that a question does not repeat
MOST_KEYS = 6  # columns among which those are sought that tell the rows apart
Cell = tuple[str, str]
Cells = tuple[Cell, ...]


@dataclass(frozen=True)
class Subject:
    """How a question names a row. `cells` are those that it names; `figure` where that is a number and no name."""

    cells: Cells
    words: str
    short: str
    figure: bool = False


class Rows:
    """The rows under one heading whose first columns have the same name."""

    def __init__(self, rows: Sequence[Cells]):
        self.rows = list(dict.fromkeys(rows))  # what stands twice says the same
        self.keys = find_keys(self.rows)
        self.counts = Counter(map(self.key_of, self.rows))
        self.values: dict[Cell, set[str]] = defaultdict(set)  # who has this value in this column
        self.places: dict[Cell, set[int]] = defaultdict(set)  # and in which rows it is
        self.answers: dict[tuple[Cells, str], set[str]] = defaultdict(set)
        said: dict[str, set[str]] = defaultdict(set)
        for at, row in enumerate(self.rows):
            for column, value in row[1:]:
                self.values[column, value.casefold()].add(row[0][1])
                self.places[column, value.casefold()].add(at)
                self.answers[self.key_of(row), column].add(value)
                said[column].add(value.casefold())
        # columns that hold "x" where something is so, and nothing where it is not
        self.ticked = {column for column, own in said.items() if {word for word in own if says(word)} <= TICKS}

    def key_of(self, row: Cells) -> Cells:
        return tuple(cell for at, cell in enumerate(row) if at == 0 or (cell[0] in self.keys and cell[0]))

    def owners(self, cells: Sequence[Cell]) -> set[str]:
        """The names of the rows that have all these values."""
        places = sorted((self.places.get((column, value.casefold()), set()) for column, value in cells), key=len)
        return {self.rows[at][0][1] for at in places[0].intersection(*places[1:])}


def says(value: str) -> bool:
    return not NOTHING.fullmatch(value)


def find_keys(rows: Sequence[Cells]) -> tuple[str, ...]:
    """The columns that together tell the rows apart, beside the first: none, one or two; none too where nothing does."""
    if len({row[0][1].casefold() for row in rows}) == len(rows):
        return ()
    names = [column for column in dict.fromkeys(column for row in rows for column, _ in row[1:]) if column][:MOST_KEYS]
    for count in (1, 2):
        for columns in combinations(names, count):
            keys = {(row[0][1], *(dict(row[1:]).get(column, "") for column in columns)) for row in rows}
            if len(keys) == len(rows) and all(says(word) for key in keys for word in key):
                return columns
    return ()


class TableRows:
    """The rows of all tables, which must be known together: only what one row alone has tells it from the others."""

    def __init__(self, facts: Sequence[Fact], english: set[str], above: Mapping[str, Sequence[str]]):
        """`english`: ids of the documents whose columns may be put into an English sentence; `above`: by Fact.id, the
        headings that say where a row stands."""
        self._english, self._above = english, above
        grouped: dict[tuple[str, ...], list[Cells]] = defaultdict(list)
        for fact in facts:
            if fact.cells:
                grouped[self._group(fact)].append(fact.cells)
        self._rows = {group: Rows(rows) for group, rows in grouped.items()}
        tables = ((group[:-1], name) for group, rows in self._rows.items() for name in {row[0][1] for row in rows.rows})
        self._shared = Counter(tables)  # how many tables of a section have a row of this name

    def families(self, fact: Fact, place: Citation) -> dict[str, list[Draft]]:
        """Drafts by the names of the rules' families: each cell once, forward and back, before any is asked again."""
        rows, cells = self._rows[self._group(fact)], fact.cells
        columns = {name: self._column(name, fact) for name, _ in cells}
        subject = _subject(rows.key_of(cells), columns)
        own = [cell for cell in cells if cell not in subject.cells]
        named = [cell for cell in own if cell[0] and says(cell[1]) and len(rows.answers[subject.cells, cell[0]]) == 1]
        first: list[Draft] = []
        again: list[Draft] = []
        for column, value in named:
            drafts = ask(columns[column], value, subject, column in rows.ticked, place)
            first, again = [*first, *drafts[:1]], [*again, *drafts[1:]]
        asked = [draft for pair in zip_longest(first, ask_back(rows, cells, columns)) for draft in pair if draft]
        alone = rows.counts[subject.cells] == 1
        whole = ask_whole(own, subject, rows) if alone else []
        again = again if self._shared[self._group(fact)[:-1], cells[0][1]] == 1 else []
        return {
            "asked": [*asked, *(whole if not named else []), *again, *(whole if named else [])],
            "recitation": recite(fact, subject, alone),
            "completion": complete(cells, subject),
            "blank": fill(cells, named, subject, rows),
            "source": name_sources(fact.statement, place)[:1],
        }

    def _group(self, fact: Fact) -> tuple[str, ...]:
        return (fact.document, *self._above[fact.id], fact.cells[0][0])

    def _column(self, name: str, fact: Fact) -> Column:
        return read_column(name) if fact.document in self._english else Column(name, name)


def _subject(keys: Cells, columns: dict[str, Column]) -> Subject:
    column, value = keys[0]
    if len(keys) > 1:
        words = [name_of(columns[name], value) for name, value in keys]
        if not all(columns[name].kind for name, _ in keys):
            listed = " and ".join(f"{shown(value)} under “{name}”" for name, value in keys[1:])
            words = [f"{words[0]} with {listed}"]
        return Subject(keys, " and ".join(words), " and ".join(words), figure=True)
    short = value if is_proper(value) else quoted(value)
    return Subject(keys, name_of(columns[column], value), short, is_figure(value))


def name_of(column: Column, value: str) -> str:
    """ "the model Aster 100", "the year 1998", where the column's name says what they are; else the value itself."""
    if not column.kind or column.kind.casefold() in value.casefold().split():
        return value if is_proper(value) else quoted(value)
    return f"the {column.kind} {value if is_proper(value) or is_figure(value) else quoted(value)}"


def is_proper(value: str) -> bool:
    """Whether a value reads as a name without quotation marks."""
    words = value.split()
    return 0 < len(words) <= 6 and value[0].isupper() and value[-1].isalnum() and not re.search(r"[,;:“”]", value)


def quoted(value: str) -> str:
    return value if re.fullmatch(r"[\d.,:/–-]+", value) else f"“{value}”"


def shown(value: str) -> str:
    """A value inside a question: figures as they are, words in quotation marks."""
    return value if is_figure(value) and len(value.split()) <= 3 else f"“{value}”"


def ask(column: Column, value: str, subject: Subject, ticks: bool, place: Citation) -> list[Draft]:
    """A cell asked for by its row and column, and again in other words."""
    who, looked = subject.words, f"Look up {subject.short} in {place_in_words(place)}:"
    if word := ("Yes" if ticks else ANSWERS.get(value.casefold())):
        choice = CHOICES.get(value.casefold(), "")
        asked = f"Is {column.quoted} {f'given as {choice}' if choice else 'ticked'} for {who}?"
        again = f"{looked} is {column.quoted} {choice or 'ticked'} there?"
    else:
        word, again = value, f"{looked} what is given there under {column.quoted}?"
        counted = re.fullmatch(r"\d[\d., ]*", value) and not column.unit
        if column.shape == MANY:
            asked = f"{'How many' if counted else 'Which'} {column.words} are given for {who}?"
        elif column.shape == ONE and is_figure(value):
            asked = f"What is the {column.words} {'for' if subject.figure else 'of'} {who}?"
        elif column.shape == ONE:
            asked = f"Which {column.words} is given for {who}?"
        else:
            asked = f"What is given under {column.quoted} for {who}?"
    return [
        Draft("simple", FORWARD, asked, word, asked, free=True),
        Draft("scenario", FORWARD, again, word, again, cited=False),
    ]


def ask_back(rows: Rows, cells: Cells, columns: dict[str, Column]) -> list[Draft]:
    """The row's name asked for by a value that no other has, else by two values."""
    name, key = cells[0]
    who = f"Which {columns[name].kind or 'entry'}"
    known = [cell for cell in cells[1:] if cell[0] and says(cell[1]) and len(cell[1].split()) <= LONG]
    known = [cell for cell in known if key.casefold() not in cell[1].casefold()]
    single = [[cell] for cell in known if len(rows.values[cell[0], cell[1].casefold()]) == 1]
    alone = {cell for cells in single for cell in cells}
    pairs = (list(pair) for pair in combinations([cell for cell in known if cell not in alone][:MOST_KEYS], 2))
    double = [pair for pair in pairs if len(rows.owners(pair)) == 1]
    drafts = []
    for own in [*single, *double[: max(1, 3 - len(single))]]:
        said = " and ".join(f"{shown(value)} under {columns[column].quoted}" for column, value in own)
        asked = f"{who} has {said}?"
        drafts.append(Draft("reverse", REVERSE, asked, key, asked, free=True))
    return drafts


def ask_whole(own: Sequence[Cell], subject: Subject, rows: Rows) -> list[Draft]:
    """All that is said of a row; what a row of a table without names of columns is asked."""
    full = [cell for cell in own if says(cell[1])]
    said = row_in_words(full, whole=False) if full else "Nothing."
    said = full[0][1] if len(full) == 1 and not full[0][0] else said
    asked = f"What is given for {subject.words}?"
    drafts = [Draft("detailed", FORWARD, asked, said, asked, free=True)]
    bare = [cell for cell in full if not cell[0] and len(cell[1].split()) <= LONG]
    if len(bare) == len(full) > 0 and len(rows.owners(bare)) == 1:
        said = "; ".join(value for _, value in bare)
        asked = f"For which entry is “{said}” given?"
        drafts.append(Draft("reverse", REVERSE, asked, subject.cells[0][1], asked, free=True))
    return drafts


def recite(fact: Fact, subject: Subject, alone: bool) -> list[Draft]:
    begun = " ".join(fact.statement.split()[:6])
    asked = f"Recite the entry for {subject.words}." if alone else f"Recite the entry that begins “{begun}”."
    return [Draft("recitation", FORWARD, asked, fact.statement, asked)]


def complete(cells: Cells, subject: Subject) -> list[Draft]:
    """The rest of a row behind some of its cells."""
    full = [*subject.cells, *(cell for cell in cells if cell not in subject.cells and says(cell[1]))]
    whole = row_in_words(full)
    drafts = []
    for count in range(len(subject.cells), len(full)):
        rest = row_in_words(full[count:], whole=False)
        if whole.endswith(rest):
            begun = whole[: -len(rest)].rstrip(" ;")
            drafts.append(Draft("completion", FORWARD, f"Complete the entry: “{begun} …”", rest, begun))
    return drafts


def fill(cells: Cells, named: Sequence[Cell], subject: Subject, rows: Rows) -> list[Draft]:
    """Blanks in a row: its name, where the rest tells it, then each cell."""
    drafts = []
    rest = [cell for cell in cells[1:] if says(cell[1])]
    if rest and cells[0][0] and len(rows.owners(rest)) == 1:
        gapped = row_in_words([(cells[0][0], BLANK), *rest])
        drafts.append(Draft("reverse", REVERSE, f"Fill in the blank: “{gapped}”", cells[0][1], gapped))
    for cell in (cell for cell in named if len(cell[1].split()) <= LONG):
        gapped = row_in_words(
            [(name, BLANK if (name, value) == cell else value) for name, value in cells if says(value)]
        )
        drafts.append(Draft("blank", FORWARD, f"Fill in the blank: “{gapped}”", cell[1], gapped))
    return drafts
