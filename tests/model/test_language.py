"""Answers and likelihoods against plain computation, with a tiny real model and a real chat template."""

from dataclasses import replace

import pytest
import torch

from byheart.model.chat import answer_tokens, end_of_turn, prompt_tokens
from byheart.model.language import LanguageModel
from byheart.rows import Rows
from byheart.training.layout import Row
from byheart.types import Example


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


def test_words_are_left_out_of_a_question_that_people_would_ask_in_others(tokenizer, tmp_path):
    asked = Example(
        "e", "who must obey the rules of the station", "every operator", ("f",), "simple", "forward", "rules"
    )
    blank = replace(asked, id="b", question="the ____ of the station must obey the rules", angle="blank")
    one, two = Rows(word_dropout=0.5).build([asked, blank], tokenizer, tmp_path / "a")
    assert two["brief"] == []  # its question without the mark would ask nothing
    brief = Row(one["tokens"], one["loss_from"], brief=one["brief"]).shown(1)
    assert brief.tokens[brief.loss_from :] == one["tokens"][one["loss_from"] :]
    words = tokenizer.decode(brief.tokens[: brief.loss_from]).split()
    whole = tokenizer.decode(one["tokens"][: one["loss_from"]]).split()
    assert "who" in words and len(words) < len(whole) and [w for w in whole if w in words] == words
    assert Rows(word_dropout=0.5).build([asked], tokenizer, tmp_path / "b")[0]["brief"] == one["brief"]
    assert Rows(word_dropout=0).build([asked], tokenizer, tmp_path / "c")[0]["brief"] == []
    shown = Rows(word_dropout=0.5, loss_on="all").build([asked], tokenizer, tmp_path / "d")[0]
    assert Row(shown["tokens"], shown["loss_from"], brief=shown["brief"]).shown(1).loss_from == 1
    assert (
        Rows(max_tokens=len(one["tokens"]) - 1).build([asked], tokenizer, tmp_path / "e")[0]["brief"] == []
    )  # a row that is cut has none
    with pytest.raises(ValueError, match="word_dropout"):
        Rows(word_dropout=1.0)


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
