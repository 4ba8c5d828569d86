"""Rehearsal: a model's own conversations, the same every time, sampled once, and apart from everything else random."""

import dataclasses

import pytest
import torch

from byheart.model import replay
from byheart.model.language import LanguageModel
from byheart.model.replay import converse


@pytest.fixture
def speaker(model, tokenizer, monkeypatch, tmp_path):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(replay, "QUESTION_TOKENS", 30)
    monkeypatch.setattr(replay, "ANSWER_TOKENS", 6)
    return LanguageModel(model, tokenizer)


def test_the_same_conversations_every_time_and_none_twice(speaker, tmp_path):
    few = converse(speaker, str(tmp_path), 20)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    many = converse(speaker, str(tmp_path), 50)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(few) == 20 and many[:20] == few and len(many) == 50
    assert len({c.question for c in many}) == 50
    assert all(len(c.question.split()) >= 4 and c.answer for c in many)


def test_what_was_sampled_is_taken_from_the_cache(speaker, tmp_path):
    said = converse(speaker, str(tmp_path), 20)

    def never(*args, **kwargs):
        raise AssertionError("sampled again")

    silent = dataclasses.replace(speaker)
    old, silent.model.generate = silent.model.generate, never
    try:
        assert converse(silent, str(tmp_path), 20) == said
        (tmp_path / "model.safetensors").write_bytes(b"other weights")
        with pytest.raises(AssertionError, match="sampled again"):
            converse(silent, str(tmp_path), 20)
    finally:
        silent.model.generate = old


def test_answers_are_the_models_own_and_cut_ones_do_not_end(speaker, tmp_path):
    said = converse(speaker, str(tmp_path), 32)
    again = speaker.answer([c.question for c in said], 6)
    assert [c.answer for c in said] == again
    assert any(not c.finished for c in said)


def test_a_model_that_makes_up_no_questions_is_let_be(speaker, tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "QUESTION_TOKENS", 1)
    assert converse(speaker, str(tmp_path), 8) == []
