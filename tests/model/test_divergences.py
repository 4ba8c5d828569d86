"""How far an adapter has moved the model, against plain computation on a tiny real one."""

import pytest
import torch

from byheart.model.adapters.adapter import Lora
from byheart.model.chat import Chat
from byheart.model.language import LanguageModel

ASKED = [("who must obey", "every station operator"), ("the rules", "10 years")]


def test_an_adapter_is_as_far_from_the_untuned_model_as_its_predictions_are(model, tokenizer):
    chat = Chat(tokenizer)
    assert LanguageModel(model, chat).divergences(ASKED) == []
    tuned = Lora(rank=2, alpha=4).attach(model)
    try:
        assert [nats for nats, _ in LanguageModel(tuned, chat).divergences(ASKED)] == [0, 0]
        with torch.no_grad():
            for name, weight in tuned.named_parameters():
                if "lora_B" in name:
                    weight.fill_(0.3)
        found = LanguageModel(tuned, chat).divergences(ASKED)
        for (question, text), (nats, count) in zip(ASKED, found, strict=True):
            prompt, reply = chat.prompt(question), chat.answer(text)
            tokens, at = torch.tensor([prompt + reply]), slice(len(prompt) - 1, -1)
            with torch.no_grad():
                after = tuned(input_ids=tokens).logits[0, at].log_softmax(-1)
                with tuned.disable_adapter():
                    before = tuned(input_ids=tokens).logits[0, at].log_softmax(-1)
            expected = torch.nn.functional.kl_div(after, before, log_target=True, reduction="sum")
            assert nats == pytest.approx(float(expected), rel=1e-4) and nats > 0.01
            assert count == len(reply)
    finally:
        tuned.unload()
