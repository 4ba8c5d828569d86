"""A loaded model that answers questions, scores answers and reads text: what the evaluations ask of a model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from byheart.model.chat import answer_tokens, end_of_turn, pad, prompt_tokens

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LanguageModel:
    """Greedy and batched; the model's train or eval mode and its random state are left as they were found."""

    model: "PreTrainedModel | PeftModel"
    tokenizer: "PreTrainedTokenizerBase"
    rows_at_once: int = 16

    def answer(self, questions: Sequence[str], max_new_tokens: int) -> list[str]:
        """The model's reply to each question, alone in its own conversation."""

        prompts = [prompt_tokens(self.tokenizer, question) for question in questions]
        # Like lengths together: a short prompt beside a long one would be mostly padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        texts = [""] * len(prompts)
        stops = sorted({end_of_turn(self.tokenizer)[-1], self.tokenizer.eos_token_id})
        with self.reading():
            for start in range(0, len(order), self.rows_at_once):
                batch = order[start : start + self.rows_at_once]
                generated = self.generate([prompts[i] for i in batch], max_new_tokens, eos_token_id=stops)
                for i, row in zip(batch, generated, strict=True):
                    texts[i] = str(self.tokenizer.decode(row, skip_special_tokens=True)).strip()
        return texts

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, **options: object) -> "torch.Tensor":
        """The new tokens of each prompt, (B, new), within `reading()`. Greedy, unless `options` of transformers say otherwise."""
        import torch

        filler = self.tokenizer.pad_token_id
        tokens_BT = torch.tensor(pad(prompts, filler, left=True), device=self._device)
        lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=self._device)
        mask_BT = torch.arange(tokens_BT.shape[1], device=self._device) >= tokens_BT.shape[1] - lengths_B[:, None]
        settings = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "pad_token_id": filler}
        generate = cast("Callable[..., torch.Tensor]", self.model.generate)  # torch types it as a submodule
        found_BT = generate(
            input_ids=tokens_BT, attention_mask=mask_BT.long(), max_new_tokens=max_new_tokens, **settings | options
        )
        return found_BT[:, tokens_BT.shape[1] :]

    def likelihoods(self, question: str, continuations: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of log-probabilities in nats, tokens) of each continuation as the reply; the prompt is read once.

        The end of turn is not counted: whether an option is a whole reply is not what is asked.
        """
        import torch

        prompt = prompt_tokens(self.tokenizer, question)
        rows = [answer_tokens(self.tokenizer, text, end=False) for text in continuations]
        with self.reading():
            read = self.model(input_ids=torch.tensor([prompt], device=self._device), use_cache=True, logits_to_keep=1)
            cache = read.past_key_values
            cache.batch_repeat_interleave(len(rows))
            tokens = torch.tensor(pad(rows, self.tokenizer.pad_token_id), device=self._device)
            # Padding stands on the right, where a causal model never looks: no mask is needed.
            rest = self.model(input_ids=tokens, past_key_values=cache, use_cache=True).logits.float()
            first = read.logits[:, -1:].float().expand(len(rows), -1, -1)
            logits_BTV = torch.cat([first, rest[:, :-1]], dim=1)
            found_BT = _log_probabilities(logits_BTV, tokens)
            return [(float(found_BT[i, : len(row)].sum()), len(row)) for i, row in enumerate(rows)]

    def token_losses(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of negative log-likelihoods in nats, tokens) of plain texts, outside any conversation."""
        import torch

        losses = []
        with self.reading():
            for text in texts:
                tokens = torch.tensor([self.tokenizer(text, add_special_tokens=False).input_ids], device=self._device)
                if tokens.shape[1] < 2:
                    losses.append((0.0, 0))
                    continue
                logits = self.model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
                losses.append((-float(_log_probabilities(logits, tokens[:, 1:]).sum()), tokens.shape[1] - 1))
        return losses

    @property
    def _device(self) -> "torch.device":
        return next(self.model.parameters()).device

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside the `with` block the model is in eval mode and computes no gradients."""
        import torch

        training = self.model.training
        self.model.eval()
        # `generate` gives the head a slice of the hidden states. torch multiplies a slice in batches, with one copy of the
        # head's matrix for each row: 2 GB and most of the time for 40 prompts. A contiguous tensor is multiplied once.
        head = self.model.get_output_embeddings()
        hook = (
            head.register_forward_pre_hook(lambda module, given: (given[0].contiguous(), *given[1:]))
            if head is not None
            else None
        )
        try:
            with torch.no_grad():
                yield
        finally:
            if hook is not None:
                hook.remove()
            self.model.train(training)


def _log_probabilities(logits_BTV: "torch.Tensor", tokens_BT: "torch.Tensor") -> "torch.Tensor":
    import torch

    picked_BT = logits_BTV.gather(-1, tokens_BT[..., None])[..., 0]
    return picked_BT - torch.logsumexp(logits_BTV, dim=-1)
