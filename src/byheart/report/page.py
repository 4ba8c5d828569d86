"""report.html: one page that opens without a network and shows the results of a run, question by question."""

import hashlib
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from byheart.data.split import read_split
from byheart.records import ANGLES, FORWARD, NEITHER, REVERSE, CurvePoint, Json, Split
from byheart.report import curve, judge, kinds, kinds_plot, memorized, probes, tables
from byheart.report.learning import UNWATCHED
from byheart.report.sections import Sections
from byheart.store import read_object, read_records, write_text
from byheart.training.curve import read_curve
from byheart.training.kinds import FILE as KINDS_FILE
from byheart.training.kinds import read_kinds
from byheart.training.stopping import WORDS

STAGES = {
    "expansion": "examples",
    "model": "loading the model",
    "recall": "asking what is recalled",
    "further_examples": "further examples",
    "score_untuned": "scoring the untuned model",
    "score_open_book": "scoring with open book",
    "score_tuned": "scoring the tuned model",
    "score_retrained": "scoring the retrained model",
    "score_tuned_open_book": "scoring the tuned model with open book",
}
AT_ONCE = 50  # probes that are shown together; page.js has the same number


@dataclass(frozen=True)
class Folder:
    """The content of a run's folder. What an interrupted run has not written is empty."""

    run: Json
    scores: Json
    ledger: Json
    split: Split | None
    documents: Sequence[Json]
    answers: Sequence[Json]
    points: list[CurvePoint]
    course: kinds_plot.Course
    config: str
    counts: dict[str, int]
    sections: Sections  # of the answers
    asked: dict[str, dict[str, int]]  # angle -> direction -> examples
    audit: Sequence[Json] = ()  # the rows of verbatim.jsonl

    @classmethod
    def read(cls, folder: Path) -> "Folder":
        asked: dict[str, Counter[str]] = {}
        for example in _records(folder / "examples.jsonl"):
            asked.setdefault(str(example.get("angle")), Counter())[str(example.get("direction"))] += 1
        documents = _records(folder / "documents.jsonl")
        answers = _records(folder / "answers.jsonl")
        curve_csv, config = folder / "curve.csv", folder / ".hydra" / "config.yaml"
        return cls(
            run=_json(folder / "run.json"),
            scores=_json(folder / "scores.json"),
            ledger=_json(folder / "ledger.json"),
            split=read_split(folder / "split.json") if (folder / "split.json").is_file() else None,
            documents=documents,
            answers=answers,
            points=read_curve(curve_csv) if curve_csv.exists() else [],
            course=kinds_plot.Course(read_kinds(folder / KINDS_FILE)),
            config=config.read_text(encoding="utf-8", errors="replace") if config.exists() else "",
            counts={
                "documents": len(documents),
                "chunks": len(_records(folder / "chunks.jsonl")),
                "facts": len(_records(folder / "facts.jsonl")),
                "examples": sum(sum(directions.values()) for directions in asked.values()),
            },
            sections=Sections.read(folder, answers),
            audit=memorized.read_audit(folder),
            asked={angle: dict(asked[angle]) for angle in sorted(asked, key=_angle_order)},
        )


def write_page(folder: Path, state: str = "") -> Path:
    """`report.html` in the run's folder, from the files that are there; returns its path.

    `state`: what the run is once its page is written, where run.json does not say so yet.
    """
    path, found = Path(folder) / "report.html", Folder.read(Path(folder))
    if state:
        found = replace(found, run={**found.run, "state": state})
    write_text(path, render(found))
    return path


def render(folder: Folder) -> str:
    from jinja2 import ChainableUndefined, Environment
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True, finalize=tables.finalize
    )
    environment.filters |= {"thousands": thousands, "duration": duration, "moment": moment, "fixed": "{:.2f}".format}
    environment.filters["outcome"] = probes.outcome
    # Inside a script element only "</script" ends the text; all other marks of the rows are escaped already.
    environment.filters["data"] = lambda rows: Markup(json.dumps(rows).replace("</", "<\\/"))
    here = files("byheart.report")
    source, style, script = (here.joinpath(f"page.{end}").read_text("utf-8") for end in ("html.j2", "css", "js"))
    training = folder.run.get("training") or {}
    chosen, would = training.get("chosen_epoch"), training.get("loss_would_choose")
    placed = list(zip(folder.answers, folder.sections.names, strict=True))
    titles = {document.get("id"): document.get("title") or document.get("path") for document in folder.documents}
    return environment.from_string(source).render(
        folder=folder,
        run=folder.run,
        ledger=folder.ledger,
        training=training,
        monitors=WORDS,
        tables=tables,
        probes=probes,
        judge=judge,
        kinds=kinds,
        kind_rows=kinds.rows(folder.scores),
        title=_joined([str(title) for title in titles.values()]) or folder.run.get("name") or "byheart",
        titles=titles,
        result=probes.result(folder.answers),
        head=tables.headline(folder.scores),
        specimen=probes.specimen(folder.answers),
        unwatched=UNWATCHED if training and not _watched(training, folder.points) else "",
        sections=_by_section(folder),
        least=[each for each in _by_section(folder) if each[1] < each[2]][:3] if len(_by_section(folder)) > 1 else [],
        outcomes=probes.counts(folder.answers),
        source=next((row.get("source", "all") for row in probes.exam(folder.answers)), "all"),
        contents=_contents(folder),
        memorized=Markup(memorized.section(folder.audit, folder.scores)),
        grouped=_grouped(folder),
        trained=any(point.train_recall is not None for point in folder.points),
        at_once=AT_ONCE,
        rows=sorted(placed, key=lambda each: probes.OUTCOMES.index(probes.outcome(each[0]))),
        exposure=_exposure(folder.ledger.get("facts") or {}),
        stages=[(STAGES.get(name, name), seconds) for name, seconds in (folder.run.get("timings") or {}).items()],
        directions=[way for way in (FORWARD, REVERSE, NEITHER) if way != NEITHER or _has(folder.asked, way)],
        # Two drawings, of which the style sheet shows one: a scaled-down plot has unreadable figures.
        plot_wide=Markup(curve.svg(folder.points, chosen, would)),
        plot_narrow=Markup(curve.svg(folder.points, chosen, would, width=380, height=300)),
        kinds_wide=Markup(kinds_plot.svg(folder.course, chosen=chosen)),
        kinds_narrow=Markup(kinds_plot.svg(folder.course, width=380, chosen=chosen)),
        kind_labels=kinds_plot.LABELS,
        style=Markup(style),
        script=Markup(script),
        # Nothing is fetched, and no script runs but ours: a second wall behind the escaping.
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def thousands(number: float) -> str:
    return f"{number:,.0f}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    return f"{minutes} min" if hours == 0 else f"{hours} h {round((seconds - 3600 * hours) / 60)} min"


def moment(text: object) -> str:
    """An ISO date and time as a reader writes it; anything else unchanged."""
    try:
        return f"{datetime.fromisoformat(str(text)):%d %B %Y, %H:%M}".lstrip("0")
    except ValueError:
        return str(text)


def _by_section(folder: Folder) -> list[tuple[str, int, int]]:
    return probes.by_section(zip(folder.answers, folder.sections.names, strict=True))


def _contents(folder: Folder) -> list[tuple[str, str]]:
    """(anchor, heading) of each section that the page has."""
    parts = (
        ("scores", "Scores", tables.headline(folder.scores) or tables.forgetting(folder.scores)),
        ("kinds", "Kinds of question", kinds.rows(folder.scores)),
        ("next", "What to do next", folder.run.get("next_steps")),
        ("curve", "The curve", folder.points),
        ("course", "Memorization and generalization", kinds_plot.svg(folder.course)),
        ("groups", "Scores by group", _grouped(folder)),
        ("measures", "All measures", tables.lines(folder.scores)),
        ("memorized", "What can be extracted", folder.audit or folder.scores.get("verbatim_by_task")),
        ("examples", "Examples", folder.ledger or any(folder.counts.values())),
        ("settings", "Settings and cost", True),
        ("probes", "All probes", folder.answers),
    )
    return [(anchor, heading) for anchor, heading, there in parts if there]


def _grouped(folder: Folder) -> bool:
    by_document, by_angle = (tables.breakdown(folder.scores, name) for name in ("by_document", "by_angle"))
    return len(by_document) > 1 or bool(by_angle) or len(_by_section(folder)) > 1


def _watched(training: Json, points: Sequence[CurvePoint]) -> bool:
    """Whether held-out questions were asked during training; old runs did not write how many."""
    held_out = training.get("held_out")
    return any(point.val_loss is not None for point in points) if held_out is None else held_out > 0


def _has(asked: Mapping[str, Mapping[str, int]], direction: str) -> bool:
    """Whether any angle has examples of a direction."""
    return any(ways.get(direction) for ways in asked.values())


def _exposure(facts: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[int, int]]:
    """For each direction, by how many examples a fact is taught: the least and the median."""
    counts = {way: sorted(int(fact.get(way, 0)) for fact in facts.values()) for way in (FORWARD, REVERSE)}
    return {way: (numbers[0], numbers[len(numbers) // 2]) for way, numbers in counts.items() if numbers}


def _angle_order(angle: str) -> tuple[int, str]:
    return (ANGLES.index(angle) if angle in ANGLES else len(ANGLES), angle)


def _joined(titles: list[str]) -> str:
    if len(titles) > 3:
        titles = [*titles[:2], f"{len(titles) - 2} more"]
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


def _json(path: Path) -> Json:
    return read_object(path) if path.exists() else {}


def _records(path: Path) -> Sequence[Json]:
    """The lines as dictionaries; a file that is absent has none."""
    return read_records(path) if path.exists() else []
