"""Where an answer most likely comes from, and what an open-book answer reads: looked up in the run's own texts."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from byheart.errors import Problem, UserError
from byheart.evaluation.bm25 import BM25, terms
from byheart.evaluation.retrieval import OpenBook
from byheart.records import Chunk, Document, Fact, Probe
from byheart.store import read_jsonl

FILES = ("documents.jsonl", "chunks.jsonl", "facts.jsonl")


@dataclass(frozen=True)
class Source:
    """A fact and where it stands. `shared` of the `words` of the answer stand in it or in its headings."""

    text: str
    document: str  # its title
    section: tuple[str, ...]  # headings, from the outermost inward
    label: str  # the marker of a list item: "(a)"
    shared: int
    words: int

    @property
    def place(self) -> str:
        """ "Club Rules › Section 3 › (a)"."""
        headings = [each for each in self.section if each != self.document]
        return " › ".join(filter(None, (self.document, *headings, self.label)))


class Library:
    """The documents, chunks and facts of a run."""

    def __init__(self, folder: Path):
        """Raises UserError where the run's folder does not have them."""
        if absent := [name for name in FILES if not (folder / name).is_file()]:
            fix = f"ask without --compare and --sources, or copy {' and '.join(absent)} into the folder"
            raise UserError(Problem("the texts of this run are not in its folder", "run", str(folder), fix))
        self.documents = read_jsonl(folder / "documents.jsonl", Document)
        self.chunks = read_jsonl(folder / "chunks.jsonl", Chunk)
        self.facts = read_jsonl(folder / "facts.jsonl", Fact)

    @cached_property
    def open_book(self) -> OpenBook:
        return OpenBook(self.documents, self.chunks, self.facts)

    def passage(self, question: str) -> str:
        """The chunk that fits the question best, as the evaluation with open book finds it; "" without a word in common."""
        return self.open_book.passage(Probe("", question, ())).text

    def source(self, question: str, answer: str) -> Source | None:
        """The fact that shares most with question and answer (BM25); None where no fact shares a word with the answer."""
        said = set(terms(answer))
        number = self._index.best(f"{question} {answer}") if said else None
        if number is None:
            return None
        fact, titles = self.facts[number], {document.id: document.title for document in self.documents}
        shared = len(said & set(terms(_with_headings(fact))))
        if not shared:
            return None
        return Source(fact.text, titles.get(fact.document, ""), fact.headings, fact.label, shared, len(said))

    @cached_property
    def _index(self) -> BM25:
        return BM25([_with_headings(fact) for fact in self.facts])


def _with_headings(fact: Fact) -> str:
    return " ".join((*fact.headings, fact.text))
