"""What the trials of a sweep have in common is done once: texts, rows, the model in memory, the untuned model's answers."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from byheart.evaluation.base import Scored
from byheart.evaluation.forgetting import Forgetting, ratio
from byheart.model.language import LanguageModel
from byheart.pipeline.evaluate import Opened, gather_probes, probes_of
from byheart.pipeline.prepare_data import LAST, Texts, texts_key, write_texts
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import Plan
from byheart.pipeline.train import lesson_rows, recall_on
from byheart.progress import Progress, no_progress
from byheart.records import Probe
from byheart.store import content_key, is_done, mark_done, read_jsonl, write_jsonl
from byheart.training.layout import Row


class Shared:
    """Kept in `folder` by content, so that another process, or the same command after a crash, finds it there."""

    def __init__(self, folder: Path, progress: Progress = no_progress):
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.progress = folder, progress
        self.lock = FileLock(folder / "making.lock")  # of two processes one makes, the other finds it made
        self.threads: int | None = None  # of this process, where the sweep has several
        self._texts: dict[str, Texts] = {}
        self._rows: dict[str, tuple[list[Row], list[Row]]] = {}
        self._opened: dict[str, Opened] = {}
        self._general: dict[str, Scored] = {}

    def texts(self, plan: Plan) -> Texts:
        key = texts_key(plan)
        if key not in self._texts:
            with self.lock, Run(self._place("texts", key), self.progress, name=plan.name, seed=plan.seed) as run:
                self._texts[key] = write_texts(plan, run)
        return self._texts[key]

    def copy_texts(self, plan: Plan, folder: Path) -> None:
        """Puts the text half into a trial's folder, as if it had been written there."""
        made = self._place("texts", texts_key(plan))
        for file in sorted(made.iterdir(), key=lambda file: LAST in file.name):
            if file.is_file() and file.name != "run.json" and not file.name.endswith(".tmp"):
                shutil.copy2(file, folder / file.name)

    def rows(self, plan: Plan) -> tuple[list[Row], list[Row]]:
        key = self._rows_key(plan)
        if key not in self._rows:
            folder = self._place("rows", key)
            files = folder / "train.jsonl", folder / "choose.jsonl"
            with self.lock:
                if is_done(files[1], key):
                    self._rows[key] = read_jsonl(files[0], Row), read_jsonl(files[1], Row)
                else:
                    texts = self.texts(plan)
                    with Run(folder, self.progress, name=plan.name, seed=plan.seed) as run:
                        self._rows[key] = lesson_rows(plan, texts, self.opened(plan), run)
                    for file, rows in zip(files, self._rows[key], strict=True):
                        write_jsonl(file, [asdict(row) for row in rows])
                    shutil.rmtree(folder / "rows", ignore_errors=True)
                    mark_done(files[1], key)
        return self._rows[key]

    def _rows_key(self, plan: Plan) -> str:
        theirs = [plan.dev] if plan.dev else []  # a share of the questions is validated on too
        return content_key(texts_key(plan), plan.rows, plan.model, *theirs)

    def has(self, plan: Plan, general: bool) -> bool:
        """Whether the rows, and the untuned model's losses on general text, are there already."""
        made = self._rows_key(plan) in self._rows
        return made and (not general or content_key(plan.model) in self._general)

    def opened(self, plan: Plan) -> Opened:
        """The base model, loaded once; only the one that was asked for last stays in memory."""
        key = content_key(plan.model, plan.trainer)
        if key not in self._opened:
            self._opened.clear()
            self._opened[key] = Opened.load(plan, Run(self.folder, self.progress))
            self.keep_threads()
        opened = self._opened[key]
        lend(opened)
        return opened

    def keep_threads(self) -> None:
        """Loading a model takes as many threads as the trainer says."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)

    def forget_models(self) -> None:
        self._opened.clear()

    def recall(self, plan: Plan, count: int, only_theirs: bool) -> Callable[[LanguageModel], float] | None:
        """Recall (token F1) on a fixed sample of what may choose; `only_theirs`: of the user's questions, where examples vary."""
        texts = self.texts(plan)
        generated: Sequence[Probe] = () if only_theirs else probes_of(texts, texts.split.choose)
        return recall_on(plan, [*gather_probes(plan, texts).dev, *generated][:count])

    def forgetting(self, plan: Plan) -> Callable[[LanguageModel], float]:
        """How many times worse general text is predicted than by the untuned model."""
        key, member = content_key(plan.model), Forgetting()
        if key not in self._general:
            self._general[key] = member.score(self.opened(plan).untrained())
        return lambda model: ratio(self._general[key], member.score(model)).value

    def _place(self, kind: str, key: str) -> Path:
        return self.folder / f"{kind}-{key[:12]}"


def lend(opened: Opened) -> None:
    """Takes an adapter off the model again: quicker than loading it anew, and its weights were never touched."""
    if not opened.fresh and hasattr(opened.model, "unload"):
        opened.model = opened.model.unload().eval()
        if hasattr(opened.model, "peft_config"):
            del opened.model.peft_config  # peft would warn of a second adapter
        opened.fresh = True
