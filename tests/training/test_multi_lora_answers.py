"""The adapters of a pack answer in one batch what each answers alone, whatever class of model they share."""

import pytest
import torch

import zoo
from byheart.model.adapters.adapter import Lora
from byheart.model.batching import find_batching
from byheart.model.chat import Chat
from byheart.model.language import ALONE, LanguageModel
from byheart.training.job import TrainJob
from byheart.training.layout import Row
from byheart.training.multi_lora.answers import ONE_BY_ONE
from byheart.training.multi_lora.job import PackedHooks, PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping

NEW = 6
QUESTIONS = [f"Who built the {'old ' * (i % 3)}{what}?" for i, what in enumerate(("mill", "bridge of Bern", "tower"))]
UNLIKE = {
    "a": (4, 8, 1),
    "b": (1, 3, 2),
    "c": (6, 2, 2),
}  # rank, alpha, epochs: a has ended when b and c are asked again
QUICK = ("llama", "qwen3", "gemma3_text", "lfm2")
MORE = (
    "granitemoe",
    "gemma2",
    "gpt_neox",
    "olmo2",
    "phi3",
    "granite",
    "qwen3_5_text",
    "falcon_h1",
    "mamba",
    "smollm3",
    "bloom",
)
CLASSES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]


def language(model) -> LanguageModel:
    chat = Chat(zoo.tokenizer(), vocabulary=model.get_input_embeddings().weight.shape[0])
    return LanguageModel(model, chat, find_batching(model, chat)[0], rows_at_once=2)


def jobs(folder, speaker):
    chat = speaker.chat
    for name, (rank, alpha, epochs) in UNLIKE.items():
        rows = [
            Row([*chat.prompt(question), *chat.answer(f"{name} {i}")], len(chat.prompt(question)))
            for i, question in enumerate(QUESTIONS)
        ]
        train_job = TrainJob(rows, [], 1, epochs, 0, "constant", "row_mean", 0)
        stopping, adapter = Stopping(patience=None, checks_per_epoch=1), Lora(rank=rank, alpha=alpha)
        yield PackedJob(name, train_job, adapter, AdamW(lr=1e-3, averaging=0), stopping, folder / name)


def asked(folder, speaker, questions):
    """What the adapters answer together, and what each answers alone, at each step where epochs end; and the notes."""
    found, notes = [], []

    def recall(ending, answers):
        stack = answers.stack
        torch.manual_seed(len(found))
        stack.means[:, stack.ups > 0] = torch.randn(3, int(stack.ups.sum()))  # a few steps leave them too alike
        asked = {job.id: questions(job.id) for job in ending}
        together = answers.answer(speaker, asked, NEW)
        alone = {}
        for job in ending:
            with answers.alone(job.id) as model:
                assert model is speaker.model
                alone[job.id] = speaker.answer(asked[job.id], NEW)
        found.append((together, alone))
        return [0.5] * len(ending)

    waiting = list(jobs(folder, speaker))
    hooks = PackedHooks(recall=recall, on_note=notes.append)
    with PackedTrainer(speaker.model, 3, 8) as trainer:
        trainer.stream(lambda: waiting.pop() if waiting else None, lambda *result: None, hooks)
    return found, notes


@pytest.mark.parametrize("name", CLASSES)
def test_adapters_answer_in_one_batch_what_each_answers_alone(name, tmp_path, monkeypatch):
    speaker, sizes = language(zoo.build(name)), []
    generate = LanguageModel.generate_batch

    def counted(self, prompts, *options):
        sizes.append(len(prompts))
        return generate(self, prompts, *options)

    monkeypatch.setattr(LanguageModel, "generate_batch", counted)
    found, notes = asked(tmp_path, speaker, lambda job: QUESTIONS[: len(QUESTIONS) - (job == "b")])
    (first, first_alone), (later, later_alone) = found
    assert first == first_alone and later == later_alone
    assert sorted(first) == ["a", "b", "c"] and sorted(later) == ["b", "c"]
    assert len({*map(tuple, (answers[:2] for answers in first.values()))}) > 1, (
        "adapters that answer alike show nothing"
    )
    assert ONE_BY_ONE not in notes and max(sizes) > speaker.rows_at_once


def test_a_model_that_answers_otherwise_in_a_batch_is_asked_one_adapter_at_a_time(tmp_path):
    speaker = language(zoo.build("rwkv"))
    assert speaker.batching.prompts == ALONE
    found, notes = asked(tmp_path, speaker, lambda job: QUESTIONS)
    assert [together for together, _ in found] == [alone for _, alone in found] and notes.count(ONE_BY_ONE) == 1


class Turned(torch.nn.Module):
    """A layer that reads the rows of a batch in another order."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flip(0)).flip(0)


def test_a_layer_that_reads_rows_in_another_order_is_found_by_asking(tmp_path):
    """Training does not show it: there all rows are in one line."""
    model = zoo.build("llama")
    attention = model.model.layers[0].self_attn
    attention.o_proj = Turned(attention.o_proj)
    found, notes = asked(tmp_path, language(model), lambda job: QUESTIONS)
    assert all(together == alone for together, alone in found) and notes.count(ONE_BY_ONE) == 1
