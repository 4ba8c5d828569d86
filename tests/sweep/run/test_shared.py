"""What the trials share is the same when a study is continued, and for the trial that becomes a run."""

import shutil
from pathlib import Path

import pytest

from byheart.config.compose import read_request
from byheart.interface import check
from byheart.pipeline.evaluate import collect_probes
from byheart.pipeline.rows import make_rows
from byheart.pipeline.run import Run
from byheart.progress import no_progress
from byheart.sweep.run.shared import Shared


def test_a_study_that_is_continued_has_the_rows_that_it_began_with(here, quick, toy_model, monkeypatch):
    """Though the cache is gone and the template, which may hold a date, has changed."""
    monkeypatch.setenv("BYHEART_CACHE", str(here / "cache"))
    Path("model").unlink()
    shutil.copytree(toy_model, "model")
    config = check(
        read_request(
            [*quick, "rows.replay=0.3", "rows.max_tokens=17", "expansion.rules.max_examples=80", "split.at_least=24"]
        )
    ).run_configs[0]
    rows = Shared(here / "shared", no_progress).rows(config)
    assert any(row.soft for row in rows[0]) and rows[1]
    shutil.rmtree("cache")
    template = Path("model/chat_template.jinja")
    template.write_text(template.read_text().replace("<s> assistant", "<s> system assistant"))

    continued = Shared(here / "shared", no_progress)
    assert continued.rows(config) == rows
    trial = here / "trial"
    trial.mkdir()
    continued.copy_texts(config, trial)
    data, run = continued.prepared(config), Run(trial)
    with monkeypatch.context() as patch:
        patch.setattr("byheart.data.rows.Rows.build", lambda *given: pytest.fail("made again"))
        assert make_rows(config, data, collect_probes(config, data), continued.session(config), run) == rows
    assert any("left out" in note for note in run.record["notes"])
