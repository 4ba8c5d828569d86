"""Templates in the style of many models: where a prompt ends, where an answer ends, and that both are what the template writes."""

from datetime import datetime

import pytest

from byheart.errors import UserError
from byheart.model.base_model import BaseModel
from byheart.model.chat import PLAIN, Chat
from byheart.model.replay import question_start
from model.templates import STYLES, Style, tokenizer

QUESTION, ANSWER = "Where was Ada born?", "In Bern.\n\nA town."


def chat_of(name, **settings):
    words = tokenizer(STYLES[name])
    ends = [words.convert_tokens_to_ids("<|user|>")] if name == "glm" else []
    return Chat(words, ends=tuple(ends), **settings)


def rendered(name, words, *said, **more):
    """What a plain call of the template gives for a conversation."""
    roles = ["user", "assistant"] * 2
    turns = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
    if name == "wants_a_system":
        turns = [{"role": "system", "content": ""}, *turns]
    if name == "in_parts":
        turns = [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in turns]
    return words.apply_chat_template(turns, tokenize=False, **STYLES[name].more | more)


@pytest.mark.parametrize("name", STYLES)
def test_a_row_is_what_the_template_writes_up_to_its_end_of_turn(name):
    style, chat = STYLES[name], chat_of(name, date=datetime.now().date().isoformat())
    row = [*chat.prompt(QUESTION), *chat.answer(ANSWER)]
    text = chat.tokenizer.decode(row)
    if style.stops:  # in words: what the model's own generate stops at, if anything, is taught behind them
        assert text.endswith(f"{ANSWER}{style.end}")
        text = text.removesuffix(style.eos or "")
        assert rendered(name, chat.tokenizer, QUESTION, ANSWER, "More").startswith(text)
    else:
        if name == "glm":
            whole = rendered(name, chat.tokenizer, QUESTION, ANSWER, "More")
        else:
            whole = rendered(name, chat.tokenizer, QUESTION, ANSWER)
        tokens = chat.tokenizer(whole, add_special_tokens=False).input_ids
        assert row == tokens[: len(row)] and text.endswith(f"{ANSWER}{style.end}")


@pytest.mark.parametrize("name", STYLES)
def test_a_prompt_ends_where_the_answer_begins_and_generation_stops_where_it_ends(name):
    style, chat = STYLES[name], chat_of(name)
    assert chat.tokenizer.decode(chat.prompt(QUESTION)).endswith(style.opening)
    answer = chat.answer(ANSWER)
    assert chat.is_ended(answer, chat.stops) and chat.read([*answer, 9, 9], chat.stops) == (ANSWER, True)
    assert chat.read(chat.answer(ANSWER, end=False), chat.stops) == (ANSWER, False)
    assert set(style.stops) == set(chat.stops.texts)
    if not style.stops:
        assert chat.tokenizer.convert_tokens_to_ids(style.end) == answer[-1]
    assert not any(
        chat.is_ended(answer[:i], chat.stops) for i in range(1, len(answer)) if style.eos and not style.stops
    )


@pytest.mark.parametrize("name", STYLES)
def test_where_the_users_words_begin_and_what_ends_them(name):
    chat = chat_of(name)
    prompt = chat.prompt(QUESTION)
    words = prompt[question_start(chat, prompt) :]
    assert chat.tokenizer.decode(words).lstrip("\n: ").startswith(QUESTION)
    assert chat.read(words, chat.question_stops)[0].lstrip(": ") == QUESTION


@pytest.mark.parametrize(("name", "today"), [("llama3", "26 Jul 2024"), ("smollm3", "26 July 2024")])
def test_a_template_with_a_clock_reads_the_date_that_it_is_given(name, today):
    assert f"Today: {today}" in chat_of(name).tokenizer.decode(chat_of(name).prompt(QUESTION))
    chat = chat_of(name, date="2031-01-09")
    assert "Today: 09 Jan" in chat.tokenizer.decode(chat.prompt(QUESTION))
    assert chat.has_clock and not chat_of("gemma").has_clock


def test_template_args_reach_the_template():
    chat = chat_of("llama3", args={"date_string": "the first day"})
    assert "Today: the first day" in chat.tokenizer.decode(chat.prompt(QUESTION))


def test_thinking_can_be_asked_for_and_is_not_part_of_the_answer():
    chat = chat_of("qwen3", args={"enable_thinking": True})
    assert chat.tokenizer.decode(chat.prompt(QUESTION)).endswith("<|im_start|>assistant\n")
    answer = chat.answer(ANSWER)
    assert chat.tokenizer.decode(answer) == f"<think>\n\n</think>\n\n{ANSWER}<|im_end|>"
    assert chat.read(answer, chat.stops) == (ANSWER, True)


@pytest.mark.parametrize("begins_with_bos", [False, True])
def test_a_base_model_is_asked_in_plain_lines(begins_with_bos):
    words = tokenizer(Style("", ""), begins_with_bos)
    words.chat_template = PLAIN.replace("{bos}", "{{ bos_token }}" if begins_with_bos else "")
    chat = Chat(words)
    bos = "<bos>" * begins_with_bos
    assert words.decode(chat.prompt(QUESTION)) == f"{bos}Question: {QUESTION}\nAnswer:"
    assert words.decode(chat.answer(ANSWER)) == f" {ANSWER}<eos>"
    goes_on = chat.tokens(" In Bern.\nQuestion: Who was Otto?\nAnswer: A man.")
    assert chat.read(goes_on, chat.stops) == ("In Bern.", True)
    assert chat.read(chat.tokens(f" {QUESTION}\nAnswer: In Bern."), chat.question_stops) == (QUESTION, True)


def test_general_text_begins_as_the_tokenizer_begins_it():
    for begins in (False, True):
        chat = Chat(tokenizer(Style("", ""), begins))
        assert chat.text_start == [chat.tokenizer.bos_token_id] * begins


def test_a_filler_is_a_token_of_the_model():
    words = tokenizer(STYLES["gemma"])
    assert Chat(words).filler == words.pad_token_id
    words.add_special_tokens({"pad_token": "<far beyond>"})
    assert Chat(words, vocabulary=words.pad_token_id).filler == words.eos_token_id
    words.pad_token = words.eos_token = None
    assert Chat(words, vocabulary=300).filler == 0


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('not today') }}", "cannot write a question: not today"),
        ("{% for m in messages %}{{ m.role }}{% endfor %}", "leaves out what the user says"),
        ("{{ messages[0].content }}", "nothing ends an answer"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_what_to_do(template, said):
    with pytest.raises(UserError, match=said) as error:
        Chat(tokenizer(Style(template, "", eos=None))).prompt(QUESTION)
    assert "model.template=plain" in str(error.value) or "eos_token" in str(error.value)


def test_a_wrong_template_or_date_is_told_before_anything_is_loaded():
    found = BaseModel(template="nowhere.jinja", date="yesterday").problems()
    assert [problem.where for problem in found if problem.where != "model.path"] == ["model.template", "model.date"]
