"""The examination of a run: the same probes for the untuned model, the open book, and what was trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from byheart.evaluation.base import METRICS, Scored, combine
from byheart.evaluation.questions import about_documents, dev_share, load_questions
from byheart.evaluation.retrieval import OpenBook
from byheart.evaluation.summary import GENERATED, UNTAUGHT, answer_rows, summarise
from byheart.model.adapter import Adapter
from byheart.model.base_model import BaseModel
from byheart.model.language import LanguageModel
from byheart.pipeline.prepare_data import Texts
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import Plan
from byheart.progress import Advanced
from byheart.records import Json, Probe
from byheart.store import content_key, is_done, mark_done, read_jsonl, said_if_unwritten, write_json, write_jsonl

TITLES = {
    "untuned": "Asking the untuned model",
    "open_book": "Asking it with the book open",
    "tuned": "Asking the tuned model",
}


@dataclass(frozen=True)
class Probes:
    """`dev`: those of the user's questions that may choose. `final`: all that is only scored, theirs and generated."""

    dev: tuple[Probe, ...]
    final: tuple[Probe, ...]


@dataclass(frozen=True)
class Exam:
    plan: Plan
    probes: tuple[Probe, ...]
    opened: tuple[Probe, ...]  # the same, with their passage before the question
    how: dict[str, str]  # how each passage was found


def gather_probes(plan: Plan, texts: Texts, questions: str | None = None) -> Probes:
    """The user's questions, the judging half of the held-out examples, and questions on facts that no row teaches."""
    file = questions or plan.questions
    # Questions on documents that were not learned are set aside: they would measure nothing.
    asked, _ = about_documents(load_questions(file, texts.documents)) if file else ([], [])
    dev, rest = dev_share(asked, 0.0 if questions else plan.dev)
    untaught = probes_of(texts, texts.split.untaught, UNTAUGHT)
    return Probes(tuple(dev), (*rest, *probes_of(texts, texts.split.judge), *untaught))


def probes_of(texts: Texts, ids: Sequence[str], source: str = GENERATED) -> list[Probe]:
    """Held-out examples as probes."""
    home = {fact.id: fact.document for fact in texts.facts} | {chunk.id: chunk.document for chunk in texts.chunks}
    return [
        Probe(
            e.id,
            e.question,
            (e.answer,),
            document=home.get(e.facts[0] if e.facts else e.chunk, ""),
            facts=e.facts,
            angle=e.angle,
            direction=e.direction,
            source=source,
            group=e.form[0],
        )
        for e in texts.examples_named(tuple(ids))
    ]


def set_exam(plan: Plan, texts: Texts, probes: Probes) -> Exam:
    opened, how = OpenBook(texts.documents, texts.chunks, texts.facts).open(probes.final)
    return Exam(plan, probes.final, tuple(opened), how)


class Opened:
    """The base model in memory, with or without an adapter on it."""

    def __init__(self, base: BaseModel, dtype: str, device: str):
        self.base, self.dtype, self.device = base, dtype, device
        model, self.tokenizer = base.load(dtype, device)
        self.model: Any = model  # a transformers model, or peft's wrapper around it
        self.fresh = True  # no adapter was put on it yet

    @classmethod
    def load(cls, plan: Plan, run: Run) -> "Opened":
        title = "Converting the model, once, and loading it" if plan.model.unconverted else "Loading the model"
        with run.stage("model", title) as note:
            device, dtype = plan.trainer.place()
            opened = cls(plan.model, dtype, device)
            size = sum(p.numel() for p in opened.model.parameters())
            run.record |= {"device": _device_name(device), "precision": dtype, "model_parameters": size}
            note(f"{plan.model.path}: {size / 1e6:.0f} million parameters, {dtype} on {_device_name(device)}")
        return opened

    def untrained(self) -> LanguageModel:
        self._fresh()
        return self.language_model()

    def attach(self, adapter: Adapter, seed: int) -> Any:
        """The base with a new adapter, initialised by the seed."""
        import lightning as L

        self._fresh()
        L.seed_everything(seed, verbose=False)
        self.model, self.fresh = adapter.attach(self.model), False
        return self.model

    def trained(self, folder: Path) -> LanguageModel:
        """The base with the adapter that was saved in `folder`."""
        self._fresh()
        if (folder / "adapter_config.json").is_file():
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, str(folder), autocast_adapter_dtype=False).eval()
        else:
            self.model, _ = replace(self.base, path=str(folder)).load(self.dtype, self.device)
        self.fresh = False
        return self.language_model()

    def save(self, folder: Path) -> None:
        """What peft, transformers and vLLM load; whole models where all weights were trained."""
        with said_if_unwritten(folder):
            self.model.save_pretrained(str(folder))
            self.tokenizer.save_pretrained(str(folder))

    def language_model(self) -> LanguageModel:
        return LanguageModel(self.model, self.tokenizer)

    def _fresh(self) -> None:
        if not self.fresh:
            self.model, self.tokenizer = self.base.load(self.dtype, self.device)
            self.fresh = True


def _report(run: Run, title: str, done: int, total: int) -> None:
    run.send(Advanced(title, done, total))


def examine(exam: Exam, model: LanguageModel, name: str, run: Run) -> Scored:
    """What one model scores, from the run's folder where it was scored before with the same probes."""
    probes = exam.opened if name == "open_book" else exam.probes
    file = run.folder / "scored" / f"{name}.jsonl"
    key = content_key(probes, exam.plan.evaluation, exam.plan.model, name)
    if is_done(file, key):
        return read_jsonl(file, Scored)[0]
    members = {k: m for k, m in exam.plan.evaluation.items() if name != "open_book" or m.asks_probes}
    with run.stage(f"score_{name}", TITLES.get(name, f"Asking the {name} model")) as note:
        parts = []
        for title, member in members.items():
            run.send(Advanced(title, 0, None))
            parts.append(member.score(model, probes, partial(_report, run, title)))
        scored = combine(*parts)
        write_jsonl(file, [scored])
        mark_done(file, key)
        note(
            "; ".join(_with_count(metric, scored) for metric in ("choice_norm", "contains") if metric in scored.metrics)
        )
    return scored


def _with_count(metric: str, scored: Scored) -> str:
    """With its count: the generated probes are among them here, which the table at the end leaves out."""
    found = scored.metrics[metric]
    return f"{METRICS[metric]} {found.value:.2f} of {found.count}"


def write_scores(exam: Exam, scored: dict[str, Scored], run: Run) -> Json:
    """answers.jsonl and scores.json; returns the content of scores.json."""
    scores = summarise(exam.probes, scored, exam.how)
    write_jsonl(run.folder / "answers.jsonl", answer_rows(exam.probes, scored))
    write_json(run.folder / "scores.json", scores)
    return scores


def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return device
