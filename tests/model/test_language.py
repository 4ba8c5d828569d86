"""Answers and likelihoods against plain computation, with a tiny real model and a real chat template."""

import pytest
import torch

from byheart.data.rows import Rows
from byheart.model.chat import answer_tokens, end_of_turn, prompt_tokens
from byheart.model.language import LanguageModel
from byheart.records import Example


def test_batched_answers_are_those_given_one_by_one(model, tokenizer):
    questions = ["who must obey", "the rules", "is a cat a station operator who must obey every rules", "10 years"]
    together = LanguageModel(model, tokenizer).answer(questions, 6)
    alone = [LanguageModel(model, tokenizer, rows_at_once=1).answer([q], 6)[0] for q in questions]
    assert together == alone and any(together)


def test_likelihoods_are_those_of_a_plain_forward_pass(model, tokenizer):
    question, options = "who must obey", ["every station operator", "a cat", "10 years is the rules"]
    for option, (total, count) in zip(
        options, LanguageModel(model, tokenizer).likelihoods(question, options), strict=True
    ):
        prompt, words = prompt_tokens(tokenizer, question), answer_tokens(tokenizer, option, end=False)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + words])).logits[0].log_softmax(-1)
        expected = sum(float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(words))
        assert total == pytest.approx(expected, rel=1e-5) and count == len(words)


def test_reading_leaves_the_mode_and_the_random_state_alone(model, tokenizer):
    model.train()
    state = torch.get_rng_state()
    LanguageModel(model, tokenizer).answer(["who"], 3)
    LanguageModel(model, tokenizer).token_losses(["the rules"])
    assert model.training and torch.equal(torch.get_rng_state(), state)
    model.eval()


def test_a_row_is_the_conversation_up_to_its_end_of_turn(tokenizer, tmp_path):
    example = Example("e", "who must obey", "every station operator", ("f",), "simple", "forward", "rules")
    row = Rows().build([example], tokenizer, tmp_path / "rows")[0]
    turns = [{"role": "user", "content": example.question}, {"role": "assistant", "content": example.answer}]
    whole = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False).input_ids
    assert row["tokens"] == whole[: len(row["tokens"])] and row["tokens"][-1] == tokenizer.eos_token_id
    assert tokenizer.decode(row["tokens"][row["loss_from"] :]) == "every station operator </s>"
    assert end_of_turn(tokenizer) == [tokenizer.eos_token_id]


def test_loss_on_all_and_the_row_limit(tokenizer, tmp_path):
    example = Example("e", "who must obey", "every station operator", ("f",), "simple", "forward", "rules")
    assert Rows(loss_on="all").build([example], tokenizer, tmp_path / "a")[0]["loss_from"] == 1
    cut = Rows(max_tokens=9).build([example], tokenizer, tmp_path / "b")
    assert len(cut[0]["tokens"]) == 9 and cut[0]["cut"]
    assert (
        len(
            Rows(max_tokens=8).build(
                [Example("e", "who " * 20, "a cat", ("f",), "simple", "forward", "x")], tokenizer, tmp_path / "c"
            )
        )
        == 0
    )
    with pytest.raises(ValueError, match="reduction"):
        Rows(reduction="median")


def test_the_head_reads_what_is_contiguous(model, tokenizer):
    """Else torch copies its matrix once for each prompt: gigabytes, and most of the time that answering takes."""
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(
        lambda module, given, out: seen.append((tuple(given[0].shape), given[0].is_contiguous()))
    )
    LanguageModel(model, tokenizer).answer(["who must obey", "the rules every station"], 3)
    hook.remove()
    assert len(seen) == 3 and all(contiguous for _, contiguous in seen)
    assert {shape[:2] for shape, _ in seen} == {(2, 1)}, "logits are computed for the last token only"
