"""The teacher in this process: rows that share a batch share nothing else, on a tiny real model."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from byheart.errors import UserError
from byheart.teacher import local
from byheart.teacher.base import Failure, Request, TeacherError
from byheart.teacher.local import Local, Row, batches, sample
from contracts.teacher_contract import TeacherContract, only_replies, requests

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant {% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE


def make_toy(folder: Path, seed: int = 3, template: str = TEMPLATE) -> Path:
    """A byte tokenizer and a two-layer model with opinions, as `save_pretrained` writes them."""
    special = ["<pad>", "<s>", "</s>"]
    letters = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    raw = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=template
    )  # fmt: skip
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(letters), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.35, pad_token_id=0, bos_token_id=1,
        eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))


class TestLocal(TeacherContract):
    @pytest.fixture(autouse=True)
    def counted(self, toy, monkeypatch):
        self.toy, self.rows = toy, 0
        answer_rows = local.answer_rows

        def counting(model, tokenizer, rows, ended):
            self.rows += len(rows)
            answer_rows(model, tokenizer, rows, ended)

        monkeypatch.setattr(local, "answer_rows", counting)

    def make(self) -> Local:
        return Local(str(self.toy), device="cpu")

    def sent(self) -> int:
        return self.rows


def many() -> list[Request]:
    """Prompts of all lengths, five temperatures, three lengths of answers."""
    return [
        Request("Answer.", f"{n} " + "word " * (7 * n % 23), (0.0, 0.01, 0.4, 0.8, 1.2)[n % 5], (6, 15, 40)[n % 3])
        for n in range(15)  # each temperature with each length
    ]


def texts(toy: Path, asked: list[Request], tmp_path: Path, monkeypatch, **options) -> list[str]:
    """Answered anew: each call has a cache of its own."""
    texts.calls = getattr(texts, "calls", 0) + 1
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / f"cache{texts.calls}"))
    return [reply.text for reply in only_replies(Local(str(toy), device="cpu", **options).ask(asked))]


def test_a_rows_text_does_not_depend_on_its_neighbours(toy, tmp_path, monkeypatch):
    asked = many()
    together = texts(toy, asked, tmp_path, monkeypatch, batch_tokens=100_000)
    assert together == texts(toy, asked, tmp_path, monkeypatch, batch_tokens=1)
    assert together == texts(toy, asked, tmp_path, monkeypatch, batch_tokens=700)
    assert together[3:11] == texts(toy, asked[3:11], tmp_path, monkeypatch)
    assert together[::-1] == texts(toy, asked[::-1], tmp_path, monkeypatch)
    assert len(set(together)) == len(together)


def test_each_row_has_its_own_temperature_in_one_batch(toy):
    asked = [Request("", "Tell.", heat, 40, attempt=n) for heat in (0.0, 0.001, 1.2) for n in range(8)]
    said = [reply.text for reply in only_replies(Local(str(toy), batch_tokens=100_000, device="cpu").ask(asked))]
    assert len(set(said[:8])) == 1 and len(set(said[8:16])) <= 2 and len(set(said[16:])) == 8


def test_sampling_follows_the_softened_probabilities():
    torch.manual_seed(0)
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    count = 20_000
    for heat in (0.3, 1.0, 1.7):
        picked = sample(logits.expand(count, -1), torch.full((count,), heat), torch.rand(count))
        shares = torch.bincount(picked, minlength=4) / count
        assert torch.allclose(shares, (logits[0] / heat).softmax(0), atol=0.015)
    edges = sample(logits.expand(2, -1), torch.full((2,), 1e-3), torch.tensor([0.0, 1 - 2**-24]))
    assert edges.tolist() == [0, 0]
    never = torch.tensor([[float("-inf"), 0.0, float("-inf")]]).expand(2, -1)
    assert sample(never, torch.ones(2), torch.tensor([0.0, 1 - 2**-24])).tolist() == [1, 1]


def test_each_row_keeps_its_own_length_and_says_how_it_ended(toy):
    replies = only_replies(Local(str(toy), batch_tokens=100_000, device="cpu").ask(many() * 2 + long_ones()))
    ends = Counter(reply.finish_reason for reply in replies)
    assert set(ends) == {"stop", "length"}
    for request, reply in zip(many() * 2 + long_ones(), replies, strict=True):
        assert reply.output_tokens <= request.max_tokens
        assert reply.finish_reason == "stop" or reply.output_tokens == request.max_tokens
        assert "</s>" not in reply.text and "<pad>" not in reply.text


def long_ones() -> list[Request]:
    return [Request("Answer.", f"at length {n}", 1.2, 300) for n in range(6)]


def test_answers_are_handed_out_and_saved_while_the_neighbours_go_on(toy):
    seen: list[int] = []

    def leave(index: int, reply) -> None:
        seen.append(index)
        raise KeyboardInterrupt

    asked = [Request("", "short", 0.5, 2), Request("", "longer", 0.0, 60)]
    with pytest.raises(KeyboardInterrupt):
        Local(str(toy), device="cpu").ask(asked, leave)
    assert seen == [0]
    assert [reply.cached for reply in Local(str(toy), device="cpu").ask(asked)] == [True, False]


def test_batches_hold_what_fits_and_like_lengths():
    rows = [Row(str(n), [1] * (n * 7 % 50 + 1), 0.5, 10) for n in range(40)]
    made = list(batches(rows, 200))
    assert sorted(row.key for batch in made for row in batch) == sorted(row.key for row in rows)
    for batch in made:
        assert len(batch) * (max(len(row.prompt) for row in batch) + 10) <= 200
    assert [len(batch) for batch in batches(rows, 1)] == [1] * 40


def test_a_prompt_beyond_the_models_length_fails_alone(toy):
    asked = [Request("", "x" * 600, 0.5, 12), Request("", "y" * 470, 0.0, 400), *requests(1)]
    beyond, near, easy = Local(str(toy), device="cpu").ask(asked)
    assert isinstance(beyond, Failure) and "no room" in beyond.reason
    assert near.input_tokens + near.output_tokens <= 512 and easy.text


def test_where_memory_is_short_the_batch_is_halved(toy, monkeypatch):
    answer_rows, sizes = local.answer_rows, []

    def tight(model, tokenizer, rows, ended):
        sizes.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("no memory")
        answer_rows(model, tokenizer, rows, ended)

    monkeypatch.setattr(local, "answer_rows", tight)
    only_replies(Local(str(toy), device="cpu").ask(requests(10)))
    assert sizes[0] == 10 and sum(size for size in sizes if size <= 3) == 10

    def never(model, tokenizer, rows, ended):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(local, "answer_rows", never)
    outcomes = Local(str(toy), device="cpu").ask(requests(3, 0.1))
    assert all("memory" in outcome.reason for outcome in outcomes)


def test_a_template_without_a_system_turn_still_gets_the_instructions(tmp_path):
    strict = make_toy(tmp_path / "strict", template=NO_SYSTEM)
    (reply,) = only_replies(Local(str(strict), device="cpu").ask([Request("Be brief.", "Why?", 0.0, 5)]))
    assert reply.input_tokens > len("Be brief.\n\nWhy?")


def test_a_schema_that_was_not_kept_to_is_noted(toy):
    (reply,) = only_replies(Local(str(toy), device="cpu").ask([replace(requests(1)[0], schema={"type": "object"})]))
    assert reply.notes == ("schema ignored",)


def test_the_fingerprint_follows_the_models_content_and_not_its_place(toy, tmp_path):
    same, other = make_toy(tmp_path / "a" / toy.name), make_toy(tmp_path / "b" / toy.name, seed=4)
    names = [Local(str(folder)).fingerprint for folder in (toy, same, other)]
    assert names[0] == names[1] != names[2] and str(tmp_path) not in names[1]
    assert Local().fingerprint == Local("smollm2_135m").fingerprint == "smollm2_135m in this process"


def test_neither_random_state_nor_threads_are_touched(toy):
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    only_replies(Local(str(toy), device="cpu", threads=threads + 1).ask(requests(2, 0.9)))
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == threads


def test_torch_is_loaded_only_to_answer(toy):
    code = (
        "import sys; from byheart.teacher.local import Local; from byheart.teacher.base import Request\n"
        "teacher = Local(sys.argv[1]); teacher.problems(); teacher.estimate([Request('s', 'u', 0.5, 9)]); teacher.ask([])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(toy)], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "openai"} & set(done.stdout.split())


@pytest.mark.parametrize("options", [{"batch_tokens": 0}, {"threads": 0}, {"device": "gpu"}, {"precision": "half"}])
def test_options_out_of_range(options):
    with pytest.raises(UserError) as caught:
        Local(**options)
    assert f"teacher.{next(iter(options))}" in str(caught.value)


def test_a_model_that_is_not_there_is_said_before_and_when_asked(tmp_path):
    (problem,) = Local(str(tmp_path / "gone")).problems()
    assert problem.where == "teacher.path"
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TeacherError, match=r"teacher\.path"):
        Local(str(tmp_path), device="cpu").ask(requests(1))


@pytest.mark.skipif("BYHEART_DATA" not in os.environ, reason="the embedded model takes half a minute")
def test_the_embedded_model_answers(cache, monkeypatch):
    monkeypatch.setenv("BYHEART_CACHE", str(cache))  # where it is converted already
    (reply,) = only_replies(Local(device="cpu").ask([Request("", "What is the capital of France?", 0.0, 20)]))
    assert "Paris" in reply.text and reply.finish_reason == "stop"
