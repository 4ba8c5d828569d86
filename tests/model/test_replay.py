"""Replay: a model's own conversations and texts, the same every time, sampled once, and apart from everything else random."""

import dataclasses

import pytest
import torch

from byheart.model import replay
from byheart.model.language import LanguageModel
from byheart.model.replay import converse, expectations, plain_texts, question_start


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


def test_plain_texts_are_the_same_every_time_and_hold_no_special_token(speaker, tmp_path):
    few = plain_texts(speaker, str(tmp_path), 5)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    many = plain_texts(speaker, str(tmp_path), 40)
    assert torch.equal(torch.get_rng_state(), before)
    assert many[:5] == few and len(many) == 40 and len({tuple(text) for text in many}) > 30
    special = set(speaker.tokenizer.all_special_ids)
    assert all(len(text) == replay.TEXT_TOKENS and not special & set(text) for text in many)


def test_what_is_expected_is_what_the_model_predicts(speaker, model):
    tokens = [5, 6, 7, 8, 9]
    likely, shares = expectations(speaker, tokens, 2)
    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([tokens])).logits[0, 1:-1].softmax(-1)
    assert [row[0] for row in likely] == wanted.argmax(-1).tolist() and len(likely) == 3
    for place, (ids, own) in enumerate(zip(likely, shares, strict=True)):
        assert len(ids) == min(replay.LIKELIEST, wanted.shape[1]) and own == sorted(own, reverse=True)
        assert own == pytest.approx(wanted[place, ids].tolist(), abs=1e-4) and sum(own) <= 1 + 1e-4


def test_the_users_words_begin_behind_the_templates(tokenizer):
    from byheart.model.chat import prompt_tokens

    prompt = prompt_tokens(tokenizer, "who must obey")
    assert tokenizer.decode(prompt[question_start(tokenizer, prompt) :]).startswith("who must obey")
