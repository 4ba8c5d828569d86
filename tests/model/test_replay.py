"""Replay: a model's own conversations and texts, the same every time, sampled once, and apart from everything else random."""

import dataclasses
from itertools import pairwise

import pytest
import torch

from byheart.model import replay
from byheart.model.chat import Chat
from byheart.model.language import LanguageModel
from byheart.model.replay import converse, expectations, plain_texts, question_start


@pytest.fixture
def speaker(model, tokenizer, monkeypatch, tmp_path):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(replay, "QUESTION_TOKENS", 30)
    monkeypatch.setattr(replay, "ANSWER_TOKENS", 6)
    return LanguageModel(model, Chat(tokenizer))


def test_the_same_conversations_every_time_and_none_twice(speaker):
    few = converse(speaker, 20)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    many = converse(speaker, 50)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(few) == 20 and many[:20] == few and len(many) == 50
    assert len({c.question for c in many}) == 50
    assert all(len(c.question.split()) >= 4 and c.answer for c in many)


def test_what_was_sampled_is_taken_from_the_cache(speaker):
    said = converse(speaker, 20)

    def never(*args, **kwargs):
        raise AssertionError("sampled again")

    silent = dataclasses.replace(speaker)
    old, silent.model.generate = silent.model.generate, never
    try:
        assert converse(silent, 20) == said
        weight = silent.model.model.layers[1].mlp.up_proj.weight
        before = weight.detach().clone()
        with torch.no_grad():
            weight.mul_(2)
        with pytest.raises(AssertionError, match="sampled again"):
            converse(silent, 20)
        with torch.no_grad():
            weight.copy_(before)
    finally:
        silent.model.generate = old


@pytest.mark.parametrize("questions", [30, 12], ids=["enough", "barren"])
def test_the_sample_does_not_depend_on_what_the_cache_holds(speaker, tmp_path, monkeypatch, questions):
    """Short questions are rarely finished: then some batches yield nothing, and fewer are found than asked for."""
    monkeypatch.setattr(replay, "QUESTION_TOKENS", questions)
    monkeypatch.setattr(replay, "AT_ONCE", 4)
    counts = (3, 10, 25)

    def sample(cache, count):
        monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / cache))
        return converse(speaker, count)

    alone = {count: sample(f"empty{count}", count) for count in counts}
    assert [sample("growing", count) for count in counts] == [alone[count] for count in counts]
    assert [sample("full", count) for count in reversed(counts)] == [alone[count] for count in reversed(counts)]
    assert [sample("full", 25) for _ in range(3)] == 3 * [alone[25]], "the same command three times"
    for count, other in pairwise(counts):
        assert alone[other][: len(alone[count])] == alone[count]
    if questions == 12:
        assert 10 < len(alone[25]) < 25


def test_a_changed_template_is_sampled_anew(speaker, monkeypatch):
    said = converse(speaker, 20)
    tokenizer = speaker.chat.tokenizer
    monkeypatch.setattr(tokenizer, "chat_template", tokenizer.chat_template.replace("<s>", "<s> rules"))
    assert converse(LanguageModel(speaker.model, Chat(tokenizer)), 20) != said


def test_answers_are_the_models_own_and_cut_ones_do_not_end(speaker):
    said = converse(speaker, 32)
    again = speaker.answer([c.question for c in said], 6)
    assert [c.answer for c in said] == again
    assert any(not c.finished for c in said)


def test_a_model_that_makes_up_no_questions_is_let_be(speaker, monkeypatch):
    monkeypatch.setattr(replay, "QUESTION_TOKENS", 1)
    assert converse(speaker, 8) == []


def test_plain_texts_are_the_same_every_time_and_hold_no_special_token(speaker):
    few = plain_texts(speaker, 5)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    many = plain_texts(speaker, 40)
    assert torch.equal(torch.get_rng_state(), before)
    assert many[:5] == few and len(many) == 40 and len({tuple(text) for text in many}) > 30
    special = set(speaker.chat.tokenizer.all_special_ids)
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
    chat = Chat(tokenizer)
    prompt = chat.prompt("who must obey")
    assert tokenizer.decode(prompt[question_start(chat, prompt) :]).startswith("who must obey")
