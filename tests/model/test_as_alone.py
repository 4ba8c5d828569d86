"""What many classes answer, and how they score options, against one plain forward pass for each token and row.

Each class speaks one style of template, and its generation config names several ends and all that makes an answer other
than greedy.
"""

import pytest
import torch
from transformers import BertConfig, BertLMHeadModel, Gemma3ForCausalLM, Gemma3TextConfig

import zoo
from byheart.errors import UserError
from byheart.model.batching import find_batching
from byheart.model.chat import Chat
from byheart.model.language import ALONE, EQUAL, PADDED, TOGETHER, Batching, LanguageModel
from model.templates import STYLES, tokenizer

NEW = 12
STYLE = {
    "llama": "llama3", "gemma3_text": "gemma", "qwen3": "qwen3", "smollm3": "smollm3", "mistral": "mistral",
    "phi3": "phi", "glm": "glm", "gpt_oss": "gpt_oss", "lfm2": "wants_a_system", "rwkv": "blank_lines",
    "minimax": "undeclared", "bloom": "in_parts", "qwen3_5_text": "qwen3.5", "olmoe": "says_A", "mamba": "without_an_end",
}  # fmt: skip
QUICK = {"gemma3_text", "gpt_oss", "qwen3_5_text", "rwkv", "minimax"}
CLASSES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in STYLE]
PLAINER = {"rwkv": (ALONE, PADDED), "minimax": (EQUAL, PADDED), "qwen3_5_text": (PADDED, PADDED)}
OPTIONS = ["In Bern", "by the harbour of the old town in the north of Graz", "x", "Lyon, or Bonn"]


def speaker(name: str) -> LanguageModel:
    words, model = tokenizer(STYLES[STYLE[name]]), zoo.build(name)
    ends = [words.convert_tokens_to_ids(letter) for letter in "aeiou"]  # a random model says these now and then
    model.generation_config.update(
        eos_token_id=ends, repetition_penalty=3.0, no_repeat_ngram_size=2, min_length=60, num_beams=2, do_sample=True,
        temperature=9.0, suppress_tokens=list(range(40, 90)), forced_bos_token_id=7,
    )  # fmt: skip
    chat = Chat(words, ends=tuple(ends), vocabulary=model.get_input_embeddings().weight.shape[0])
    return LanguageModel(model, chat, find_batching(model, chat)[0])


@pytest.fixture(scope="module", params=CLASSES)
def model(request) -> tuple[str, LanguageModel]:
    return request.param, speaker(request.param)


def greedy(model: LanguageModel, question: str) -> str:
    """One token after the other, each the likeliest by a forward pass over all before it."""
    tokens = model.chat.prompt(question)
    start = len(tokens)
    with torch.no_grad():
        while len(tokens) < start + NEW and not (tokens[start:] and tokens[-1] in model.chat.stops.tokens):
            logits = model.model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
            tokens.append(int(logits.argmax()))
    return model.chat.read(tokens[start:], model.chat.stops)[0]


def test_an_answer_is_the_likeliest_tokens_up_to_an_end(model, request):
    name, language = model
    count = 6 if name in QUICK else 40
    things = ("bridge", "mill", "old harbour of the east", "castle", "tower by the river")
    questions = [f"Who built the {things[i % 5]} of {'Bern, Graz and Lyon'[: 4 + i]}?" for i in range(count)]
    assert language.answer(questions, NEW) == [greedy(language, question) for question in questions]


def test_an_option_is_scored_as_if_read_alone(model):
    _, language = model
    question = "Where was the woman born who built the old harbour of the east?"  # longer than any window
    asked = [(question, OPTIONS), ("", OPTIONS[1:]), ("Who?", OPTIONS[:2]), ("Who built the mill in Bern?", OPTIONS)]
    for (question, options), found in zip(asked, language.likelihoods(asked), strict=True):
        prompt = language.chat.prompt(question)
        for option, (total, count) in zip(options, found, strict=True):
            words = language.chat.answer(option, end=False)
            with torch.no_grad():
                row = torch.tensor([prompt + words])
                logits = language.model(input_ids=row, use_cache=False).logits[0].log_softmax(-1)
            expected = sum(float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(words))
            assert total / count == pytest.approx(expected / count, abs=1e-5) and count == len(words)


def test_how_each_class_is_read(model):
    name, language = model
    expected = PLAINER.get(name, (PADDED, PADDED if name in ("lfm2", "mamba") else TOGETHER))
    assert (language.batching.prompts, language.batching.options) == expected
    lines = find_batching(language.model, language.chat)[1]
    assert len(lines) == (expected[0] != PADDED) + (expected[1] == PADDED)


def refusal(model):
    words = tokenizer(STYLES["llama3"])
    with pytest.raises(UserError) as error:
        find_batching(model, Chat(words, vocabulary=model.get_input_embeddings().weight.shape[0]))
    return str(error.value)


@pytest.mark.parametrize("name", ["bert", "gemma3"])
def test_a_model_that_reads_in_both_directions_is_refused(name):
    """Its loss would be that of a text that it sees: a head for writing does not make it write."""
    sizes = {
        "vocab_size": 360,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    if name == "bert":
        model = BertLMHeadModel(BertConfig(**sizes))
    else:
        config = Gemma3TextConfig(**sizes, head_dim=16, num_key_value_heads=1, use_bidirectional_attention=True)
        model = Gemma3ForCausalLM(config)
    assert "reads a text in both directions" in refusal(model.eval())


def test_a_model_that_wants_more_than_text_is_refused():
    model = zoo.build("llama")
    model.model.forward = None
    assert "cannot read a row of text (TypeError" in refusal(model)


def test_a_base_that_rounds_to_eight_bits_is_judged_by_that_rounding():
    """As LLM.int8 does: what a layer reads is rounded, and otherwise beside other rows."""
    model = zoo.build("llama")

    def rounded(layer, given):
        size = given[0].abs().amax() / 127
        return ((given[0] / size).round() * size,)

    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear) and name != "lm_head":
            layer.register_forward_pre_hook(rounded)
    assert "reads a text in both directions" in refusal(model)
    model.is_quantized = True
    chat = Chat(tokenizer(STYLES["llama3"]), vocabulary=model.get_input_embeddings().weight.shape[0])
    assert find_batching(model, chat) == (Batching(PADDED, TOGETHER), [])
