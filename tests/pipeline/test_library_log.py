"""What libraries warn of is kept in the run's log file, once each; the caller's own logging is as it was afterwards."""

import io
import logging
import sys
import warnings
from pathlib import Path

import pytest

import zoo
from byheart import cli
from byheart.pipeline.library_log import LOG, library_log
from sweep.toy import QUICK, TEXT

WORDS = ["learn", "documents=a.txt", *QUICK[2:], "split.at_least=4", "expansion.rules.max_examples=12", "budget=1"]


def lines(folder):
    file = Path(folder, LOG)
    return [line.partition("  ")[2] for line in file.read_text().splitlines()] if file.is_file() else []


def plainly(monkeypatch) -> None:
    """Levels as Python has them: Lightning and Hydra change them in the process of the tests."""
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    for name in ("some_library", "some_library.imported.late", "transformers"):
        logging.getLogger(name).disabled = False
        logging.getLogger(name)._cache.clear()


def test_warnings_and_records_go_to_the_log_once_each(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own
    plainly(monkeypatch)
    early = logging.getLogger("some_library")
    early.addHandler(logging.StreamHandler())
    early.propagate = False
    try:
        for _ in range(2):  # as a resumed run does
            with library_log(tmp_path):
                late = logging.getLogger("some_library.imported.late")
                for _ in range(3):
                    early.warning("is falling\nback")
                    late.warning("without %s handler", "a")
                    logging.getLogger("no_handler_at_all").error("as lastResort prints it")
                    warnings.warn("set to False", stacklevel=1)
    finally:
        early.handlers.clear()
    assert capfd.readouterr() == ("", "")
    assert [line for line in lines(tmp_path) if not line.startswith("UserWarning")] == [
        "WARNING some_library: is falling back",
        "WARNING some_library.imported.late: without a handler",
        "ERROR no_handler_at_all: as lastResort prints it",
    ]
    assert sum(line.endswith(": set to False") for line in lines(tmp_path)) == 1


def test_what_the_caller_set_up_goes_on_and_stays(tmp_path, capsys):
    own, buffer = logging.StreamHandler(sys.stderr), io.StringIO()
    mine = logging.StreamHandler(buffer)
    library, level, emit, filters = logging.getLogger("a_library"), 17, logging.StreamHandler.emit, warnings.filters[:]
    show = warnings.showwarning
    library.setLevel(level)
    logging.root.addHandler(own)
    library.addHandler(mine)
    try:
        with pytest.raises(ZeroDivisionError), library_log(tmp_path):
            library.setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", message="of a library")
            library.error("seen")
            _ = 1 / 0
        assert library.level == level and logging.StreamHandler.emit is emit and warnings.filters == filters
        assert warnings.showwarning is show
    finally:
        logging.root.removeHandler(own)
        library.removeHandler(mine)
    assert capsys.readouterr().err == buffer.getvalue() == "seen\n" and not lines(tmp_path)


def test_a_library_that_takes_a_slower_way_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    plainly(monkeypatch)
    notes = []
    with library_log(tmp_path, notes.append):
        logging.getLogger("transformers").warning("`scan` is falling back. This is correct but much slower; install it")
    assert notes == ["a part of this model has a faster way, which is not installed: log.txt names it"]


def test_no_warning_of_a_library_reaches_the_screen(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(TEXT + "\n")
    zoo.make(Path("model"), "gpt2")
    capfd.readouterr()
    assert cli.main([*WORDS, "model.path=model", "hydra.run.dir=run"]) == 0
    shown = capfd.readouterr()
    assert shown.err == "" and "[transformers]" not in shown.out and "Warning" not in shown.out
    assert any("fan_in_fan_out" in line for line in lines("run"))
