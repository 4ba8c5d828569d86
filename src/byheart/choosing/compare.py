"""The comparison: documents to examples once, then each base by itself, then the recommendation and the page."""

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from byheart.choosing.measure import KEY, RESULT, Texts, config_for, estimate_of, measure, of_a_base, without_end
from byheart.choosing.page import write_page
from byheart.choosing.records import FILE, BasesResult, Candidate, Measured, Plan
from byheart.choosing.verdict import verdict
from byheart.documents.load import find_documents
from byheart.errors import Problem, UserError
from byheart.evaluation.retrieval import OpenBook
from byheart.evaluation.sampling import sampled
from byheart.evaluation.summary import GENERATED, QUESTIONS, headline_of
from byheart.interrupt import Interrupt
from byheart.model.base_model import BaseModel
from byheart.pipeline.estimate import estimate_run
from byheart.pipeline.evaluate import collect_probes
from byheart.pipeline.library_log import library_log
from byheart.pipeline.prepare_data import PreparedData, asks_teacher, data_key, prepare_data, read_source
from byheart.pipeline.run import Run
from byheart.progress import Progress, Said, Warned, no_progress
from byheart.records import Probe
from byheart.results import ESTIMATED, FINISHED, RunEstimate
from byheart.store import content_key, is_done, read_object, write_json

HOME = Path("outputs") / "bases"
TEXTS, MODELS = "texts", "models"  # folders of a comparison


def compare(plan: Plan, progress: Progress = no_progress) -> BasesResult:
    """Measures each base, and recommends one. What was measured before of the same model and texts is not measured again.

    Raises UserError where no base can be used.
    """
    shared = _shared_key(plan)
    folder = plan.folder or _begun(content_key(shared, _names(plan))) or HOME / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).is_file():
        write_json(folder / FILE, {"key": content_key(shared, _names(plan)), "state": "running"})
    with Interrupt(progress) as interrupt, library_log(folder):
        texts, of = _texts(plan, folder / TEXTS, progress)
        found = []
        for number, candidate in enumerate(plan.candidates, 1):
            progress(Said(f"\nbase {number} of {len(plan.candidates)}: {candidate.name}"))
            measured = _measured(candidate, texts, folder, shared, progress, interrupt)
            if measured.reason:
                progress(Warned(f"cannot be used: {measured.reason}"))
            found.append(measured)
    groups = {probe.id: probe.group or probe.id for probe in texts.probes}
    decided = verdict(found, groups, plan.steps)
    facts = {
        "key": content_key(shared, _names(plan)),
        "steps": plan.steps,
        "asked": len(texts.probes),
        "of": of,
        "source": texts.probes[0].source,
        "metric": headline_of(texts.probes),
        "rows": len(texts.data.split.train),
        "documents": [document.title or document.path for document in texts.data.documents],
        "groups": groups,
    }
    command = learn_line(decided.chosen.setting, plan.words) if decided.chosen else ""
    name = decided.chosen.name if decided.chosen else ""
    result = BasesResult(FINISHED, folder, decided.ranked, name, decided.sentence, command, facts)
    if decided.chosen is not None:
        write_page(result)
    write_json(folder / FILE, result.record)  # last: with it the comparison is done
    if decided.chosen is None:
        raise UserError(*(Problem(base.reason, "models", base.name, base.fix) for base in found))
    return result


def estimate(plan: Plan, progress: Progress = no_progress) -> BasesResult:
    """What a comparison would take. Nothing is loaded, trained or sent."""
    found: dict[str, RunEstimate | Problem] = {}
    with TemporaryDirectory() as scratch:
        source = texts = None
        if asks_teacher(plan.config):
            with Run(Path(scratch), without_end(progress)) as run:
                source = read_source(plan.config, run)
        else:
            texts, _ = _texts(plan, Path(scratch), progress)
        for each in plan.candidates:
            if each.config is None:
                found[each.name] = Problem(each.reason, "models", each.name, each.fix)
            elif texts is not None:
                found[each.name] = estimate_of(config_for(each.config, texts.probes, plan.steps), texts)
            else:
                config = config_for(each.config, (), plan.steps)
                found[each.name] = of_a_base(config, estimate_run(config, source, None, quickly=False))
    return BasesResult(ESTIMATED, plan.folder or HOME, estimates=found)


def learn_line(setting: str, words: Sequence[str]) -> str:
    """The line that trains a base on all of the documents."""
    kept = [each for each in words if not each.startswith(("estimate=", "hydra.run.dir="))]
    return shlex.join(["byheart", "learn", setting, *kept])


def _texts(plan: Plan, place: Path, progress: Progress) -> tuple[Texts, int]:
    """(the same texts for each base, how many questions there are)."""
    with Run(place, without_end(progress), name=plan.config.name, seed=plan.config.seed) as run:
        config = plan.config
        data = prepare_data(config, run)
        probes = collect_probes(replace(config, dev=0.0), data).final
        source = QUESTIONS if config.questions else GENERATED
        asked = [probe for probe in probes if probe.source == source]
        if not asked:
            fix = "give some: questions=exam.jsonl, with a question and its answers in each line"
            raise UserError(Problem("no question is held out of these documents", "questions", fix=fix))
        some = tuple(sampled(asked, plan.sample))
        if len(some) < len(asked):
            run.note(f"{len(some)} of {len(asked)} questions are asked, always the same ones (sample={plan.sample})")
        return Texts(_nearest(data, some, plan.steps * config.batch_size), some, plan.steps), len(asked)


def _nearest(data: PreparedData, probes: Sequence[Probe], most: int) -> PreparedData:
    """The records with the rows to train on: all, or where so few steps cannot read all, those on the passages that the
    questions are about. Nothing is validated on."""
    taught = data.examples_of(data.split.train)
    if len(taught) > most:
        book, home = OpenBook(data.documents, data.chunks, data.facts), {fact.id: fact.chunk for fact in data.facts}
        passages = {chunk.id for probe in probes for chunk in [book.chunk(probe)[0]] if chunk}
        near = [e for e in taught if {e.chunk, *(home.get(fact, "") for fact in e.facts)} & passages]
        taught = near or taught
    split = replace(data.split, train=tuple(example.id for example in taught), validation=())
    return replace(data, split=split)


def _measured(
    candidate: Candidate, texts: Texts, folder: Path, shared: str, progress: Progress, interrupt: Interrupt
) -> Measured:
    if candidate.config is None:
        return Measured(candidate.name, candidate.setting, candidate.reason, candidate.fix)
    key = content_key(shared, candidate.config.model, candidate.config.lr, _files_of(candidate.config.model))
    place = folder / MODELS / _folder_name(candidate)
    if not is_done(place / RESULT, key):
        _take_over(place, key)
    return measure(candidate, texts, place, key, progress, interrupt)


def _take_over(place: Path, key: str) -> None:
    """What another comparison has measured of the same model with the same texts, or began to."""
    homes = [home for home in HOME.glob(f"*/{MODELS}/*/{KEY}") if home.parent.resolve() != place.resolve()]
    same = [home.parent for home in homes if home.read_text(encoding="utf-8") == key]
    if same and not (place / KEY).is_file():
        best = max(same, key=lambda each: is_done(each / RESULT, key))
        shutil.copytree(best, place, dirs_exist_ok=True)


def _begun(key: str) -> Path | None:
    """The folder in which the same comparison was begun, or ended."""
    files = sorted(HOME.glob(f"*/{FILE}"), reverse=True)
    return next((file.parent for file in files if read_object(file).get("key") == key), None)


def _names(plan: Plan) -> list[str]:
    return [candidate.setting for candidate in plan.candidates]


def _shared_key(plan: Plan) -> str:
    """The content key of what is the same for all bases."""
    config = plan.config
    files = [*find_documents(config.documents), *([Path(config.questions)] if config.questions else [])]
    content = [file.expanduser().read_bytes() for file in files]
    parts = config.evaluation, config.adapter, config.optimizer, config.trainer, config.rows
    numbers = config.seed, config.batch_size, config.schedule, plan.steps, plan.sample
    return content_key(data_key(config), content, *parts, *numbers)


def _files_of(model: BaseModel) -> list[tuple[str, int, int]]:
    """What tells the files in a folder from those that lay there before: names, sizes and times."""
    folder = Path(model.path).expanduser()
    files = sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def _folder_name(candidate: Candidate) -> str:
    """Readable, and different for each base: two folders may have one name."""
    name = re.sub(r"[^\w.-]+", "_", Path(candidate.name).name).strip("._")[:60] or "model"
    return f"{name}-{content_key(candidate.setting)[:6]}"
