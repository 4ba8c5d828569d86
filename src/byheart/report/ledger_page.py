"""`ledger.html`: every chunk with its facts, the examples of each beside its text, and what was refused with why."""

from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from byheart.records import Chunk, Document, Example, Fact, Json, Rejection
from byheart.report import tables
from byheart.store import read_json, read_jsonl, write_text

PAGE = "ledger.html"


def write_ledger_page(folder: Path) -> Path:
    """The page in the run's folder, from the files of `prepare_data`; returns its path."""
    from jinja2 import Environment
    from markupsafe import Markup

    titles = {document.id: document.title for document in read_jsonl(folder / "documents.jsonl", Document)}
    examples = read_jsonl(folder / "examples.jsonl", Example)
    rejected = read_jsonl(folder / "rejected.jsonl", Rejection)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=tables.finalize)
    here = files("byheart.report")
    source, style, own = (
        here.joinpath(name).read_text("utf-8") for name in ("ledger.html.j2", "page.css", "ledger.css")
    )
    page = environment.from_string(source).render(
        title=" and ".join(titles.values()),
        ledger=read_json(folder / "ledger.json"),
        chunks=_chunks(
            read_jsonl(folder / "chunks.jsonl", Chunk), read_jsonl(folder / "facts.jsonl", Fact), examples, rejected
        ),
        titles=titles,
        style=Markup(style + own),
        report=(folder / "report.html").is_file() or (folder / "adapter").is_dir(),
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def _chunks(
    chunks: Sequence[Chunk], facts: Sequence[Fact], examples: Sequence[Example], rejected: Sequence[Rejection]
) -> list[Json]:
    """Each chunk with its facts in order; examples on several facts, or on none, are listed with the chunk."""
    kept: dict[str, list[Example]] = defaultdict(list)
    refused: dict[str, list[Rejection]] = defaultdict(list)
    for example in examples:
        kept[_owner(example)].append(example)
    for rejection in rejected:
        refused[_owner(rejection.example)].append(rejection)
    by_chunk: dict[str, list[Json]] = defaultdict(list)
    for fact in facts:
        by_chunk[fact.chunk].append({"fact": fact, "kept": kept[fact.id], "refused": refused[fact.id]})
    return [
        {"chunk": chunk, "facts": by_chunk[chunk.id], "kept": kept[chunk.id], "refused": refused[chunk.id]}
        for chunk in chunks
    ]


def _owner(example: Example) -> str:
    return example.facts[0] if len(example.facts) == 1 else example.chunk
