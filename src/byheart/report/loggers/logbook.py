"""All loggers of a run as one listener. Without loggers it does nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from byheart.progress import Checked, Event, Reported, RunEnded
from byheart.report.loggers.base import About, Logger, RunLog, check_values
from byheart.results import UNFINISHED
from byheart.store import read_object, read_records


class Logbook:
    """Opened at the first check, so that a run which never trains is not logged.

    A logger that fails (no network, no disk) causes one warning and is switched off; the training continues.
    """

    def __init__(self, loggers: Mapping[str, Logger], about: About, warn: Callable[[str], None] = lambda text: None):
        self.loggers, self.about, self.warn = dict(loggers), about, warn
        self._logs: dict[str, RunLog] | None = None
        self._logged = 0  # the last step that was logged: a resumed curve is not logged twice

    def __call__(self, event: Event) -> None:
        if isinstance(event, Checked) and event.stage == "training" and event.point.step > self._logged:
            self._logged = event.point.step
            values = check_values(event.point, event.tokens_per_row)
            self._each(lambda log: log.check(values, self._logged))
        elif isinstance(event, Reported):
            self._score(event.folder)
        elif isinstance(event, RunEnded):
            if self._logs:
                self._each(lambda log: log.close(event.failed))
            self._logs = {}

    def _score(self, folder: Path) -> None:
        scores = read_object(folder / "scores.json")
        flat = {
            f"{model}/{metric}": value["value"]
            for model in ("untuned", "open_book", "tuned", "retrained", "tuned_open_book")
            for metric, value in (scores.get(model) or {}).items()
            if isinstance(value, Mapping) and isinstance(value.get("value"), int | float)
        }
        probes = read_records(folder / "answers.jsonl")
        self._each(lambda log: log.scored(flat, probes, folder / "report.html"))

    def _each(self, act: Callable[[RunLog], None]) -> None:
        if self._logs is None:
            self._logs = {}
            for name, logger in self.loggers.items():
                with self._warned(name, self._logs):
                    self._logs[name] = logger.open(self.about)
        for name, log in list(self._logs.items()):
            with self._warned(name, self._logs):
                act(log)

    @contextmanager
    def _warned(self, name: str, logs: dict[str, RunLog]) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # any error of a logger's library
            logs.pop(name, None)
            first = next(iter(str(error).splitlines()), type(error).__name__)
            self.warn(f"logger {name} is switched off for the rest of this run: {first}")


def about_run(folder: Path, name: str, tags: Sequence[str], group: str | None = None) -> About:
    """`config` is read from the run's folder; of a run that is trained on, with its new settings."""
    files = [place / ".hydra" / "config.yaml" for place in (folder / UNFINISHED, folder)]
    file = next((file for file in files if file.is_file()), files[-1])
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return About(folder, name, group, tuple(tags), config or {})
