"""Answers and likelihoods against plain computation, with a tiny real model and a real chat template."""

from types import SimpleNamespace

import pytest
import torch

from byheart.data.rows import Rows
from byheart.model import memory
from byheart.model.chat import Chat
from byheart.model.language import LanguageModel
from byheart.model.replay import plain_texts
from byheart.records import Example


def test_batched_answers_are_those_given_one_by_one(model, tokenizer):
    questions = ["who must obey", "the rules", "is a cat a station operator who must obey every rules", "10 years"]
    together = LanguageModel(model, Chat(tokenizer)).answer(questions, 6)
    alone = [LanguageModel(model, Chat(tokenizer), rows_at_once=1).answer([q], 6)[0] for q in questions]
    assert together == alone and any(together)
    told = []
    LanguageModel(model, Chat(tokenizer), rows_at_once=3).answer(questions, 6, lambda *done: told.append(done))
    assert told == [(3, 4), (4, 4)]  # a count on the screen moves with each batch


def test_more_rows_are_generated_at_a_time_where_memory_has_room(model, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**40)
    assert [memory.rows_that_fit(model, 40, 16, wanted=wanted) for wanted in (0, 24, 2000)] == [16, 24, 256]
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**20)
    assert memory.rows_that_fit(model, 40, 16, wanted=2000) == 16


def test_likelihoods_are_those_of_a_plain_forward_pass(model, tokenizer):
    question, options = "who must obey", ["every station operator", "a cat", "10 years is the rules"]
    for option, (total, count) in zip(
        options, LanguageModel(model, Chat(tokenizer)).likelihoods([(question, options)])[0], strict=True
    ):
        prompt, words = Chat(tokenizer).prompt(question), Chat(tokenizer).answer(option, end=False)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + words])).logits[0].log_softmax(-1)
        expected = sum(float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(words))
        assert total == pytest.approx(expected, rel=1e-5) and count == len(words)


def test_reading_leaves_the_mode_and_the_random_state_alone(model, tokenizer):
    model.train()
    state = torch.get_rng_state()
    LanguageModel(model, Chat(tokenizer)).answer(["who"], 3)
    LanguageModel(model, Chat(tokenizer)).token_losses(["the rules"])
    assert model.training and torch.equal(torch.get_rng_state(), state)
    model.eval()


def test_a_row_is_the_conversation_up_to_its_end_of_turn(tokenizer):
    example = Example("e", "who must obey", "every station operator", ("f",), "simple", "forward", "rules")
    row = Rows().build([example], Chat(tokenizer))[0]
    turns = [{"role": "user", "content": example.question}, {"role": "assistant", "content": example.answer}]
    whole = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False).input_ids
    assert row.tokens == whole[: len(row.tokens)] and row.tokens[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(row.tokens[row.loss_from :]) == "every station operator </s>"
    assert Chat(tokenizer).stops.tokens == {tokenizer.eos_token_id}


def test_loss_on_all(tokenizer):
    example = Example("e", "who must obey", "every station operator", ("f",), "simple", "forward", "rules")
    assert Rows(loss_on="all").build([example], Chat(tokenizer))[0].loss_from == 1
    with pytest.raises(ValueError, match="reduction"):
        Rows(reduction="median")


def test_the_head_reads_what_is_contiguous(model, tokenizer):
    """Else torch copies its matrix once for each prompt: gigabytes, and most of the time that answering takes."""
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(
        lambda module, given, out: seen.append((tuple(given[0].shape), given[0].is_contiguous()))
    )
    LanguageModel(model, Chat(tokenizer)).answer(["who must obey", "the rules every station"], 3)
    hook.remove()
    assert len(seen) == 3 and all(contiguous for _, contiguous in seen)
    assert {shape[:2] for shape, _ in seen} == {(2, 1)}, "logits are computed for the last token only"


def test_questions_and_options_that_memory_does_not_hold_are_read_in_fewer_at_a_time(model, tokenizer):
    questions, options = (
        ["who must obey", "the rules", "is a cat", "10 years", "every station"],
        ["a cat", "the rules", "10 years"],
    )
    language = LanguageModel(model, Chat(tokenizer))
    answers, likelihoods = language.answer(questions, 6), language.likelihoods([("who", options)])[0]
    seen = []

    def fill(module, given, output):
        seen.append(len(output))
        if len(output) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = model.get_input_embeddings().register_forward_hook(fill)
    try:
        assert language.answer(questions, 6) == answers and [size for size in seen if size > 2] == [5]
        found = language.likelihoods([("who", options)])[0]
        assert [tokens for _, tokens in found] == [tokens for _, tokens in likelihoods]
        assert [nats for nats, _ in found] == pytest.approx([nats for nats, _ in likelihoods], rel=1e-5)
        assert len(plain_texts(language, 5)) == 5
    finally:
        hook.remove()


def test_on_a_gpu_as_many_rows_are_generated_as_its_memory_holds(model, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**30)
    elsewhere = SimpleNamespace(config=model.config, parameters=lambda: iter([SimpleNamespace(
        device=torch.device("cuda"), itemsize=2)]))  # fmt: skip
    rows = [memory.rows_that_fit(elsewhere, tokens, usual=16) for tokens in (50, 5000, 10**7)]
    assert rows[0] == memory.MOST_ROWS > rows[1] > rows[2] == 16 and rows[1] & (rows[1] - 1) == 0
    assert memory.rows_that_fit(model, 50, usual=16) == 16, "on a CPU more are not quicker"
