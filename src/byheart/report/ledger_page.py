"""`ledger.html`: what the expansion wrote for each chunk and fact, what was refused and why; the reader keeps and drops.

The chunks, their facts and all counts are in the page itself. The examples are in it as JSON, and `ledger.js` makes
elements of those of an unfolded chunk only: 12,000 examples as elements would hold up the browser.
"""

import hashlib
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from byheart.documents.composition import ONE, left_out, made_of
from byheart.evaluation.profile import WRONG
from byheart.expansion.file import FIELDS
from byheart.expansion.ledger import FINAL
from byheart.records import ANGLES, FORWARD, REVERSE, Chunk, Document, Example, Fact, Json, Rejection
from byheart.report import tables
from byheart.report.asking import ledger_lines, short_chunks
from byheart.report.fact_map import NAMES, FactMap, fact_map
from byheart.report.next_steps import learn_line
from byheart.report.page import thousands
from byheart.store import read_jsonl, read_object, read_records, write_text

PAGE = "ledger.html"
KEPT = "keep.jsonl"  # as the browser saves it
ANEW = ("expansion", "teacher", "estimate", "resume")  # settings that a run on kept examples has no use for


def write_ledger_page(folder: Path) -> Path:
    """The page in the run's folder, from the files of `prepare_data`; returns its path."""
    from jinja2 import Environment
    from markupsafe import Markup

    from byheart.config.saved import overrides_of

    ledger, overrides = Ledger.read(folder), overrides_of(folder)
    data = ledger.data()
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=tables.finalize)
    environment.filters |= {"thousands": thousands, "made_of": made_of, "left_out": left_out}
    here = files("byheart.report")
    source, own, script, style = (
        here.joinpath(name).read_text("utf-8") for name in ("ledger.html.j2", "ledger.css", "ledger.js", "page.css")
    )
    page = environment.from_string(source).render(
        page=ledger,
        ledger=ledger.account,
        kinds=ONE,
        profiles=NAMES,
        odds=WRONG + 1,
        command=learn_from_kept(overrides) if overrides is not None else None,
        kept_file=KEPT,
        report=(folder / "report.html").is_file() or (folder / "adapter").is_dir(),
        # "<" ends a script element, or begins a comment in it; JSON has another form for it.
        data=Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")),
        style=Markup(style + own),
        script=Markup(script),
        # Nothing is fetched, and no script runs but ours: a second wall behind the escaping.
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def learn_from_kept(overrides: Sequence[str]) -> str:
    """The line that trains on the examples that were kept in the page, with all else as in the run's own command."""
    kept = [each for each in overrides if _key(each)[0] not in ANEW]
    return learn_line(kept, "expansion=file", f"expansion.file.path={KEPT}")


def _key(override: str) -> list[str]:
    return override.lstrip("+~").partition("=")[0].split(".")


def after_expand(folder: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """What `byheart expand` ends with: what it came to, and the lines that go on, each with its reason."""
    from byheart.config.saved import overrides_of, words_of

    account, overrides, words = read_object(folder / "ledger.json"), overrides_of(folder), words_of(folder)
    if words is None:
        return ledger_lines(account), []
    paid = " (what a teacher wrote is not paid again)" if account["novelty"]["by_angle"] else ""
    look = f"Or open the ledger in a browser, keep and drop there, save {KEPT}, and train on it:"
    steps = [(f"Train on all of them{paid}:", learn_line(words))]
    if overrides is None:  # a config of the user's own: what may change beside it is not known
        return ledger_lines(account), steps
    steps.append((look, learn_from_kept(overrides)))
    capped = any("max_examples" in line for line in account["short"])
    if short_chunks(account) and [*account["by_expansion"]] == ["rules"] and not capped:
        # a setting of an expansion that is not chosen would be refused
        rules = [each for each in overrides if _key(each)[0] != "expansion" or _key(each)[1:2] == ["rules"]]
        ask = ("expansion=[rules,ladder]", "teacher=openai", "teacher.model=NAME", "estimate=true")
        steps.append(("The rules find no more to ask. What a teacher would cost:", learn_line(rules, *ask)))
    return ledger_lines(account), steps


@dataclass(frozen=True)
class Entry:
    """A line of the contents: a heading with the chunks below it, or a document with its own."""

    name: str
    depth: int
    first: int  # place of the first chunk
    last: int
    short: int = 0  # chunks short of their quota


@dataclass(frozen=True)
class Part:
    """A chunk as the page shows it. `facts` are (place, fact); `rest` is the place of what is on several facts or none."""

    number: int
    chunk: Chunk
    name: str
    above: str
    which: str  # "2 of 6" where chunks have the same headings
    row: Json
    facts: list[tuple[int, Fact]]
    rest: int
    refused: int
    missing: int

    @property
    def opening(self) -> str:
        return " ".join((self.facts[0][1].text if self.facts else self.chunk.text)[:160].split())


@dataclass(frozen=True)
class Ledger:
    """The files of `prepare_data`, in the order in which the page shows them."""

    account: Json
    documents: list[Document]
    chunks: list[Chunk]
    facts: list[Fact]
    examples: list[Example]
    rejected: list[Rejection]
    per_fact: int  # quota of a fact in each direction
    bare: dict[str, Json] = field(default_factory=dict)  # Fact.id -> the directions without examples, and why
    later: int = 0  # examples of further rounds of training, which come last
    profiles: dict[str, Json] = field(default_factory=dict)  # Fact.id -> its row of profile.jsonl, once it is measured

    @classmethod
    def read(cls, folder: Path) -> "Ledger":
        account, rejected = read_object(folder / "ledger.json"), folder / "rejected.jsonl"
        later = [
            example
            for file in sorted(folder.glob("rounds/*/examples.jsonl"), key=lambda file: int(file.parent.name))
            for example in read_jsonl(file, Example)
        ]
        measured = folder / "profile.jsonl"
        return cls(
            account,
            read_jsonl(folder / "documents.jsonl", Document),
            read_jsonl(folder / "chunks.jsonl", Chunk),
            read_jsonl(folder / "facts.jsonl", Fact),
            [*read_jsonl(folder / "examples.jsonl", Example), *later],
            read_jsonl(rejected, Rejection) if rejected.is_file() else [],
            per_fact=_per_fact(folder),
            bare={each["fact"]: each for each in account["uncovered"]},
            later=len(later),
            profiles={row["fact"]: row for row in read_records(measured)} if measured.is_file() else {},
        )

    @cached_property
    def title(self) -> str:
        titles = [document.title for document in self.documents]
        return " and ".join(titles) if len(titles) < 3 else f"{titles[0]} and {len(titles) - 1} more documents"

    @cached_property
    def counts(self) -> dict[str, list[tuple[str, int]]]:
        """What the filters offer, each with its number of examples, kept and refused."""
        every = [*self.examples, *(rejection.example for rejection in self.rejected)]
        rungs = Counter(example.rung for example in every if example.rung is not None)
        return {
            "angle": _in_order(Counter(example.angle for example in every), ANGLES),
            "direction": _in_order(Counter(example.direction for example in every), (FORWARD, REVERSE)),
            "by": _in_order(Counter(example.expansion for example in every), self.account["by_expansion"]),
            "rung": [(f"{rung:g}", n) for rung, n in sorted(rungs.items())],
            "reason": Counter(rejection.reason for rejection in self.rejected).most_common(),
        }

    @cached_property
    def parts(self) -> list[Part]:
        titles = {document.id: document.title for document in self.documents}
        paths = [(chunk.document, _below_title(chunk, titles)) for chunk in self.chunks]
        alike, met = Counter(paths), Counter[object]()
        own: dict[str, list[Fact]] = {}
        for fact in self.facts:
            own.setdefault(fact.chunk, []).append(fact)
        parts, place = [], 0
        for number, (chunk, path) in enumerate(zip(self.chunks, paths, strict=True)):
            met[path] += 1
            facts = list(enumerate(own.get(chunk.id, ()), start=place))
            place += len(facts) + 1
            row = self.account["by_chunk"].get(chunk.id, {"asked": 0, "kept": 0, "rejected": {}})
            parts.append(
                Part(
                    number=number,
                    chunk=chunk,
                    name=(path[1] or (titles[chunk.document],))[-1],
                    above=" › ".join(path[1][:-1]),
                    which=f"{met[path]} of {alike[path]}" if alike[path] > 1 else "",
                    row=row,
                    facts=facts,
                    rest=place - 1,
                    refused=sum(row["rejected"].values()),
                    missing=max(0, row["asked"] - row["kept"]),
                )
            )
        return parts

    @cached_property
    def contents(self) -> list[tuple[Document, Entry, list[Entry], list[Part]]]:
        """Each document that has chunks: its whole, its headings in order, its chunks."""
        by_document: dict[str, list[Part]] = {}
        for part in self.parts:
            by_document.setdefault(part.chunk.document, []).append(part)
        return [
            (document, _entry(document.title, -1, own), list(_entries(own, document.title)), own)
            for document in self.documents
            if (own := by_document.get(document.id))
        ]

    @cached_property
    def map(self) -> FactMap | None:
        documents = [(each.title, [(part.chunk, part.facts) for part in own]) for each, _, _, own in self.contents]
        return fact_map(documents, list(self.profiles.values()))

    @cached_property
    def short_chunks(self) -> int:
        return len(short_chunks(self.account))

    def lacking(self, fact: str) -> list[str]:
        """The directions in which a fact is short of its quota."""
        return [way for way, count in self.account["facts"].get(fact, {}).items() if count < self.per_fact]

    @cached_property
    def short_facts(self) -> int:
        return sum(bool(self.lacking(fact.id)) for fact in self.facts)

    def data(self) -> Json:
        """What `ledger.js` reads. A row has the values of `fields`, then: where it stands, who wrote it, and why it was
        refused (null where it was not), the detail, and whether the reader may keep it for all that."""
        places = {fact.id: place for part in self.parts for place, fact in part.facts}
        chunks = {part.chunk.id: part.number for part in self.parts}
        rest = {part.chunk.id: part.rest for part in self.parts}
        facts = [fact.id for fact in self.facts]
        of_fact = {fact: number for number, fact in enumerate(facts)}

        def row(example: Example, reason: str | None = None, detail: str = "") -> list[object]:
            known = [of_fact[fact] for fact in example.facts if fact in of_fact]
            place = places[facts[known[0]]] if len(example.facts) == len(known) == 1 else rest.get(example.chunk, -1)
            values = {**vars(example), "facts": known, "chunk": chunks.get(example.chunk, -1)}
            refused = [reason, detail, reason not in FINAL] if reason is not None else []
            return [*(values[name] for name in FIELDS), place, example.expansion, *refused]

        rows = [row(example) for example in self.examples]
        rows += [row(each.example, each.reason, each.detail) for each in self.rejected]
        names = {document.id: document.title for document in self.documents}
        about = [
            [
                part.chunk.id,
                names[part.chunk.document],
                (part.chunk.headings or ("",))[-1],
                [p for p, _ in part.facts],
                part.rest,
            ]
            for part in self.parts
        ]
        known_as = hashlib.sha256(json.dumps([facts, *rows]).encode()).hexdigest()[:16]
        return {"key": known_as, "file": KEPT, "fields": FIELDS, "facts": facts, "chunks": about, "rows": rows}


def _in_order(counts: Counter[str], known: Iterable[str]) -> list[tuple[str, int]]:
    return [(name, counts[name]) for name in dict.fromkeys([*known, *counts]) if counts[name]]


def _per_fact(folder: Path) -> int:
    """The highest `examples_per_fact` of the run's expansions."""
    import yaml

    config = folder / ".hydra" / "config.yaml"
    members = (yaml.safe_load(config.read_text("utf-8")) if config.is_file() else {}).get("expansion") or {}
    quotas = [member.get("examples_per_fact") for member in members.values()]
    return max((quota for quota in quotas if isinstance(quota, int)), default=1)


def _below_title(chunk: Chunk, titles: dict[str, str]) -> tuple[str, ...]:
    """The headings of a chunk, without the document's title where it is the first of them."""
    return chunk.headings[1:] if chunk.headings[:1] == (titles[chunk.document],) else chunk.headings


def _entry(name: str, depth: int, parts: Sequence[Part]) -> Entry:
    return Entry(name, depth, parts[0].number, parts[-1].number, sum(part.missing > 0 for part in parts))


def _entries(parts: Sequence[Part], title: str) -> Iterator[Entry]:
    """The headings of a document in order, each with all the chunks below it."""
    titles = {parts[0].chunk.document: title}
    paths = [_below_title(part.chunk, titles) for part in parts]
    before: tuple[str, ...] = ()
    for number, path in enumerate(paths):
        for depth, name in enumerate(path):
            here = path[: depth + 1]
            if before[: depth + 1] != here:
                end = next((n for n in range(number, len(paths)) if paths[n][: depth + 1] != here), len(paths))
                yield _entry(name, depth, parts[number:end])
        before = path
