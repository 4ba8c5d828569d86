"""What the trials of a sweep have in common is done once: texts, rows, the model in memory, the untuned model's answers."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from byheart.evaluation.base import Scored
from byheart.evaluation.forgetting import general_text, ratio
from byheart.evaluation.recall import Sample
from byheart.model.language import LanguageModel
from byheart.pipeline.evaluate import collect_probes, probes_of
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import LAST, PreparedData, data_key, prepare_data, will_ask_teacher
from byheart.pipeline.rows import copy_rows, make_rows, rows_key
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import recall_on
from byheart.progress import Progress
from byheart.records import Probe
from byheart.store import content_key, is_done, read_jsonl
from byheart.training.layout import Row


class Shared:
    """Kept in `folder` by content, so that another process, or the same command after a crash, finds it there."""

    def __init__(self, folder: Path, progress: Progress):
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.progress = folder, progress
        self.lock = FileLock(folder / "making.lock")  # of two processes one makes, the other finds it made
        self.threads: int | None = None  # of this process, where the sweep has several
        self._texts: dict[str, PreparedData] = {}
        self._rows: dict[str, tuple[list[Row], list[Row]]] = {}
        self._opened: dict[str, ModelSession] = {}
        self._general: dict[str, Scored] = {}

    def prepared(self, config: RunConfig) -> PreparedData:
        key = data_key(config)
        if key not in self._texts:
            with self.lock, Run(self._place("texts", key), self.progress, name=config.name, seed=config.seed) as run:
                if will_ask_teacher(
                    config, run
                ):  # a model that cannot be trained is refused before the teacher is paid
                    self.session(config)
                    self.forget_models()
                self._texts[key] = prepare_data(config, run)
        return self._texts[key]

    def copy_texts(self, config: RunConfig, folder: Path) -> None:
        """Puts the text half and the rows into a trial's folder, as if they had been written there."""
        made = self._place("texts", data_key(config))
        for file in sorted(made.iterdir(), key=lambda file: LAST in file.name):
            if file.is_file() and file.name != "run.json" and not file.name.endswith(".tmp"):
                shutil.copy2(file, folder / file.name)
        copy_rows(self._place("rows", rows_key(config)), folder)

    def rows(self, config: RunConfig) -> tuple[list[Row], list[Row]]:
        key = rows_key(config)
        if key not in self._rows:
            folder = self._place("rows", key)
            older = folder / "train.jsonl", folder / "choose.jsonl"  # of studies up to 2026-11-28
            with self.lock:
                if is_done(older[1], key):
                    self._rows[key] = read_jsonl(older[0], Row), read_jsonl(older[1], Row)
                else:
                    data = self.prepared(config)
                    with Run(folder, self.progress, name=config.name, seed=config.seed) as run:
                        self._rows[key] = make_rows(
                            config, data, collect_probes(config, data), self.session(config), run
                        )
        return self._rows[key]

    def has(self, config: RunConfig, general: bool) -> bool:
        """Whether the rows, and the untuned model's losses on general text, are there already."""
        made = rows_key(config) in self._rows
        return made and (not general or content_key(config.model) in self._general)

    def session(self, config: RunConfig) -> ModelSession:
        """The base model, loaded once; only the one that was asked for last stays in memory."""
        key = content_key(config.model, config.trainer)
        if key not in self._opened:
            self._opened.clear()
            self._opened[key] = ModelSession.load(config, Run(self.folder, self.progress))
            self.use_threads(self.threads)
        session = self._opened[key]
        detach_adapter(session)
        return session

    def use_threads(self, threads: int | None) -> None:
        """From now on, also after a model is loaded, which takes as many threads as the trainer says. None: as it is."""
        import torch

        self.threads = threads
        if threads:
            torch.set_num_threads(threads)

    def forget_models(self) -> None:
        self._opened.clear()

    def recall(self, config: RunConfig, count: int, only_user_questions: bool) -> Sample | None:
        """A fixed sample of the validation half; `only_user_questions`: of the user's questions, where examples vary."""
        data = self.prepared(config)
        generated: Sequence[Probe] = () if only_user_questions else probes_of(data, data.split.validation)
        return recall_on(config, [*collect_probes(config, data).dev, *generated][:count])

    def forgetting(self, config: RunConfig) -> Callable[[LanguageModel], float]:
        """How many times worse general text is predicted than by the untuned model."""
        key = content_key(config.model)
        if key not in self._general:
            self._general[key] = general_text(self.session(config).untrained())
        return lambda model: ratio(self._general[key], general_text(model)).value

    def _place(self, kind: str, key: str) -> Path:
        return self.folder / f"{kind}-{key[:12]}"


def detach_adapter(session: ModelSession) -> None:
    """Takes an adapter off the model again: quicker than loading it anew, and its weights were never touched."""
    if not session.fresh and hasattr(session.model, "unload"):
        session.model = session.model.unload().eval()
        if hasattr(session.model, "peft_config"):
            del session.model.peft_config  # peft would warn of a second adapter
        session.fresh = True
