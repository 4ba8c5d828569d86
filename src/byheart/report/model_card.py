"""README.md of an adapter: what the hub calls a model card, made from the files of the run."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from byheart.data.split import read_split
from byheart.documents.languages.language import document_language
from byheart.records import Json
from byheart.report import probes
from byheart.report.loading import Saved
from byheart.report.tables import MODELS, SPECIAL, entry, forgetting, lines, printable
from byheart.store import read_object, read_records, write_text


@dataclass(frozen=True)
class About:
    """What the run's files do not say of an adapter."""

    saved: Saved
    scores: str  # the name of its scores: tuned or retrained
    licence: str | None  # of the base model
    note: str  # how the base differs from the hub's, or ""
    training: Mapping[str, object]  # its account in run.json
    settings: Sequence[tuple[str, str]]


def write_card(run: Path, adapter: Path, about: About) -> None:
    """`README.md` in the adapter's folder, with nothing of this machine in it."""
    write_text(adapter / "README.md", card(run, about))


def card(run: Path, about: About) -> str:
    documents = read_records(run / "documents.jsonl")
    counts = {name: len(read_records(run / f"{name}.jsonl")) for name in ("chunks", "facts")}
    split, scores, record = (
        read_split(run / "split.json"),
        read_object(run / "scores.json"),
        read_object(run / "run.json"),
    )
    answers = read_records(run / "answers.jsonl")
    titles = [str(each["title"]) for each in documents]
    what = titles[0] if len(titles) == 1 else f"{len(titles)} documents"
    saved = about.saved
    base = f"[{saved.base}](https://huggingface.co/{saved.base})" if saved.on_hub else f"`{saved.base}`, a local model"
    kind = (
        f"A LoRA adapter (rank {saved.rank}) for {base}" if saved.settings else f"{base}, with all its weights trained"
    )
    versions = record.get("versions") or {}
    made = f"byheart {versions.get('byheart', '')} on {str(record.get('started', ''))[:10]}"
    parts = [
        _front_matter(about, documents),
        f"# {_plain(what)}, learned by heart",
        f"{kind}. It answers questions on the documents below without reading them. Made with {made}.",
        "## What it was taught",
        _table(("document", "file", "words"), [
            (_plain(each["title"]), f"`{PurePath(str(each['path'])).name}`", f"{len(str(each['text']).split()):,}") for each in documents
        ]),
        f"It was trained on {len(split.train):,} questions and answers about {counts['facts']:,} facts (chunks: {counts['chunks']:,}). "
        "Neither the documents nor the questions are in this folder. The weights can say back what was taught: share them only with those who may read the documents.",
        "## Scores",
        *_scores(scores, answers, about.scores),
        "## How to load it",
        f"With byheart, where RUN is the run's folder: `byheart ask RUN {json.dumps(saved.question, ensure_ascii=False)}`",
        *filter(None, (about.note,)),
        "The other lines are for the folder of this file.",
    ]  # fmt: skip
    for way in saved.ways():
        parts += [f"### {way.title}", *filter(None, (way.about,)), f"```{way.language}\n{way.lines}\n```"]
    parts += [
        "## Training",
        _table(("setting", "value"), [*about.settings, ("trained", str(about.training.get("why_stopped", "")))]),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(scores, answers, about.scores)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(about: About, documents: Sequence[Json]) -> str:
    """YAML, in which JSON is allowed: a text in quotes is always a text."""
    saved = about.saved
    languages = sorted({document_language(str(each["text"])) for each in documents} - {""})
    data: dict[str, Any] = {
        "base_model": saved.base if saved.on_hub else None,
        "library_name": "peft" if saved.settings else "transformers",
        "pipeline_tag": "text-generation",
        "license": about.licence,
        "language": languages,
        "tags": ["byheart", *(["lora"] if saved.settings else []), "closed-book-qa"],
    }
    kept = {key: value for key, value in data.items() if value}
    return "\n".join(
        ("---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in kept.items()), "---")
    )


def _scores(scores: Json, answers: Sequence[Json], tuned: str) -> list[str]:
    found = [line for line in lines(scores) if line.metric not in SPECIAL]
    if not found:
        return ["It was not scored."]
    shown = [name for name in MODELS if scores.get(name) and name in ("untuned", "open_book", tuned)]
    rows = []
    for line in found:
        cells = [line.values.get(name) for name in shown]
        rows.append(
            (
                line.label,
                *(f"{at.value:.2f} ({at.low:.2f} to {at.high:.2f})" if at else "" for at in cells),
                f"{line.count}",
            )
        )
    questions = (
        "questions of the user" if scores.get("probes") == "questions" else "held-out questions, which were not trained"
    )
    said = str(probes.result(answers) or "") if tuned == "tuned" else ""
    return [
        *filter(None, (said,)),
        f"On {questions}, with 95 % intervals. Open book: the untuned model, with the passage in its prompt.",
        _table(("measure", *(MODELS[name] for name in shown), "count"), rows),
    ]


def _limits(scores: Json, answers: Sequence[Json], tuned: str) -> list[str]:
    found = ["What it was not taught it may invent: nothing marks an answer that it does not know."]
    result = probes.result(answers) if tuned == "tuned" else None
    if result and (tally := result.said or result.picked) and tally.after < tally.asked:
        found.append(f"{tally.asked - tally.after} of {tally.asked} questions are still answered wrongly.")
    if (verdict := forgetting(scores, tuned)) and (ratio := entry(scores, tuned, "perplexity_ratio")):
        interval = f"{ratio.low:.2f} to {ratio.high:.2f}"
        found.append(
            f"Forgetting: {verdict[0]}. General text is {ratio.value:.2f} times as hard to predict as before ({interval})."
        )
    found.append("It knows the documents as they were on the day of training.")
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


def _plain(text: object) -> str:
    """A title as text, not as Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(printable(text).split()))
