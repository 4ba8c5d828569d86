"""A folder with a toy model, a text and an exam, and the words that every sweep of these tests begins with."""

import pytest

from sweep.toy import QUICK, furnished


@pytest.fixture
def here(tmp_path, monkeypatch, toy_model):
    """The working folder; paths on the command line are relative to it."""
    monkeypatch.chdir(tmp_path)
    return furnished(tmp_path, toy_model)


@pytest.fixture
def quick():
    return list(QUICK)
