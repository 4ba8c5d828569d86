"""The shared data, and the family's contract, for this folder's tests."""

import os
import sys
from pathlib import Path

import pytest

from byheart.records import Chunk, Document

if (tests := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.append(tests)  # for `contracts`


@pytest.fixture
def data() -> Path:
    if not os.environ.get("BYHEART_DATA"):
        pytest.skip("BYHEART_DATA names no folder of shared data")
    return Path(os.environ["BYHEART_DATA"])


@pytest.fixture
def read():
    """A Markdown file as a Document, as simply as can be."""

    def read_document(path: Path) -> Document:
        text = path.read_text(encoding="utf-8")
        return Document(f"doc-{path.stem}", text.splitlines()[0].lstrip("# "), text, str(path))

    return read_document


@pytest.fixture
def cut():
    """Every paragraph a chunk of its own: a harder case than the real, larger chunks."""

    def cut_document(document: Document) -> list[Chunk]:
        chunks, headings, start = [], (), 0
        for part in document.text.split("\n\n"):
            end = start + len(part)
            if part.startswith("#"):
                headings = (part.strip("# \n"),)
            elif part.strip():
                name = f"{document.id}-{len(chunks)}"
                chunks.append(Chunk(name, document.id, headings, start, end, part, len(part.split())))
            start = end + 2
        return chunks

    return cut_document
