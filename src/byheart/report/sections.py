"""The section of the documents that each probe asks about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from byheart.records import Chunk, Document, Fact, Json, Probe
from byheart.store import read_jsonl


@dataclass(frozen=True)
class Sections:
    """`names`: of each row of answers.jsonl, "" where it is not known. `guessed`: how many were found by words in common."""

    names: tuple[str, ...]
    guessed: int = 0

    @classmethod
    def read(cls, folder: Path, rows: Sequence[Json]) -> "Sections":
        """From a run's folder: by the facts behind a probe, else as the open book finds its passage."""
        files = [folder / f"{name}.jsonl" for name in ("documents", "chunks", "facts")]
        if not rows or not all(file.is_file() for file in files):
            return cls(("",) * len(rows))
        from byheart.evaluation.retrieval import OpenBook

        documents, chunks = read_jsonl(files[0], Document), read_jsonl(files[1], Chunk)
        facts = {fact.id: fact for fact in read_jsonl(files[2], Fact)}
        titles, book = {document.title for document in documents}, OpenBook(documents, chunks)
        names, guessed = [], 0
        for row in rows:
            known = next((facts[each] for each in row.get("facts") or () if each in facts), None)
            if known:
                names.append(_name(known.headings, titles))
                continue
            chunk, how = book.chunk(_probe(row))
            names.append(_name(chunk.headings, titles) if chunk else "")
            guessed += how == "lexical" and bool(names[-1])
        return cls(tuple(names), guessed)


def _probe(row: Json) -> Probe:
    support, paragraph = str(row.get("support") or ""), row.get("paragraph")
    return Probe(
        "", str(row.get("question")), (), document=str(row.get("document") or ""), support=support, paragraph=paragraph
    )


def _name(headings: Iterable[str], titles: set[str]) -> str:
    """The two innermost headings; a document's title says nothing here."""
    return " › ".join([heading for heading in headings if heading not in titles][-2:])
