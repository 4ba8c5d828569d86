"""A loaded model that answers questions, scores answers and reads text: what the evaluations ask of a model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from byheart.model.as_found import kept_modes
from byheart.model.chat import Chat, Stops, pad
from byheart.model.memory import in_batches, rows_that_fit

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

PADDED, EQUAL, ALONE, SHARED = "padded", "equal", "alone", "shared"


@dataclass(frozen=True)
class Batching:
    """What a model may read together without another result than alone (`batching.py` asks it)."""

    prompts: str = PADDED  # on the left, for `generate`; or only those of EQUAL length, or each ALONE
    options: str = SHARED  # continue one reading of the prompt; or whole rows PADDED on the right, or each ALONE


@dataclass(frozen=True)
class LanguageModel:
    """Greedy and batched; the model's train or eval mode and its random state are left as they were found."""

    model: "PreTrainedModel | PeftModel"
    chat: Chat
    batching: Batching = Batching()
    rows_at_once: int = 16

    def answer(self, questions: Sequence[str], max_new_tokens: int) -> list[str]:
        """The model's reply to each question, alone in its own conversation."""
        prompts = [self.chat.prompt(question) for question in questions]
        # Like lengths together: a short prompt beside a long one would be mostly padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        texts = [""] * len(prompts)
        longest = max(map(len, prompts), default=0) + max_new_tokens
        at_once = rows_that_fit(self.model, longest, self.rows_at_once)

        def reply(batch: Sequence[int]) -> list[tuple[str, bool]]:
            return self.reply([prompts[i] for i in batch], max_new_tokens, self.chat.stops)

        with self.reading():
            for batch, replies in in_batches(order, at_once, reply):
                for i, (text, _) in zip(batch, replies, strict=True):
                    texts[i] = text
        return texts

    @property
    def longest(self) -> int | None:
        """Tokens that the model can read at once: with absolute positions, one more is an error."""
        named = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return named if isinstance(named, int) and named > 0 else None

    def fitting(self, prompt: Sequence[int], more: int) -> Sequence[int]:
        """A prompt without as much of its beginning as leaves room for `more` tokens behind it."""
        room = max(1, self.longest - more) if self.longest else len(prompt)
        return prompt[-room:] if len(prompt) > room else prompt

    def cut(self, questions: Sequence[str]) -> int:
        """How many of these are too long to be read whole. Only those of as many bytes are tokenized."""
        longest = self.longest
        long = [each for each in questions if longest and len(each.encode()) > longest / 2]
        return sum(len(self.chat.prompt(each)) > longest for each in long) if longest else 0

    def reply(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Stops, **options: object
    ) -> list[tuple[str, bool]]:
        """Each prompt's continuation up to where it ends, and whether it does; within `reading()`."""
        rows = self.generate(prompts, max_new_tokens, stops, **options)
        return [self.chat.read(row, stops) for row in rows]

    def generate(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Stops | None = None, **options: object
    ) -> list[list[int]]:
        """The new tokens of each prompt, within `reading()`. Greedy, unless `options` of transformers say otherwise.

        Rows that end before the others are filled up.
        """
        rows: list[list[int]] = [[]] * len(prompts)
        prompts = [self.fitting(prompt, max_new_tokens) for prompt in prompts]
        for batch in self._together(prompts):
            length = max(len(prompts[i]) for i in batch)
            found_BT = self.generate_batch([prompts[i] for i in batch], max_new_tokens, stops, options)
            for i, row in zip(batch, found_BT[:, length:].tolist(), strict=True):
                rows[i] = row
        return rows

    def _together(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """The places of prompts that the model may read in one batch."""
        kinds: dict[int, list[int]] = {}
        for i, prompt in enumerate(prompts):
            kind = {PADDED: 0, EQUAL: len(prompt), ALONE: i}[self.batching.prompts]
            kinds.setdefault(kind, []).append(i)
        return list(kinds.values())

    def generate_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Stops | None, options: dict[str, object]
    ) -> Any:
        """What transformers' `generate` returns for prompts that are padded on the left."""
        import torch
        from transformers import StoppingCriteriaList

        filler = self.chat.filler
        tokens_BT = torch.tensor(pad(prompts, filler, left=True), device=self._device)
        lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=self._device)
        mask_BT = torch.arange(tokens_BT.shape[1], device=self._device) >= tokens_BT.shape[1] - lengths_B[:, None]
        settings: dict[str, Any] = {
            "do_sample": False,
            "temperature": None,
            "top_p": None,
            "top_k": None,
            "pad_token_id": filler,
            "eos_token_id": sorted(stops.tokens) or None if stops else None,
        }
        if stops and stops.texts:
            settings["stopping_criteria"] = StoppingCriteriaList([self._ends_in_words(tokens_BT.shape[1], stops)])
        generate = cast("Callable[..., Any]", self.model.generate)  # torch types it as a submodule
        with plainly(self.model):
            return generate(
                input_ids=tokens_BT, attention_mask=mask_BT.long(), max_new_tokens=max_new_tokens, **settings | options
            )

    def _ends_in_words(self, start: int, stops: Stops) -> "Callable[..., torch.Tensor]":
        import torch

        def ended(seen_BT: "torch.Tensor", scores: object, **more: object) -> "torch.Tensor":
            rows = seen_BT[:, start:].tolist()
            return torch.tensor([self.chat.is_ended(row, stops) for row in rows], device=seen_BT.device)

        return ended

    def likelihoods(self, question: str, continuations: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of log-probabilities in nats, tokens) of each continuation as the reply.

        The end of turn is not counted: whether an option is a whole reply is not what is asked.
        """
        import torch

        options = [self.chat.answer(text, end=False) for text in continuations]
        prompt = self.fitting(self.chat.prompt(question), max(map(len, options), default=0))

        def score(rows: Sequence[Sequence[int]]) -> list[tuple[float, int]]:
            found = []
            for row, logits_TV in zip(rows, self.option_logits(prompt, rows), strict=True):
                tokens_1T = torch.tensor([list(row)], device=self._device)
                found.append((float(_log_probabilities(logits_TV[None], tokens_1T).sum()), len(row)))
            return found

        with self.reading():
            return [each for _, found in in_batches(options, len(options), score) for each in found]

    def option_logits(self, prompt: Sequence[int], rows: Sequence[Sequence[int]]) -> list["torch.Tensor"]:
        """What is predicted at each token of each row that may follow the prompt, (T, V) each, within `reading()`."""
        if self.batching.options == SHARED:
            return self._continued(prompt, rows)
        if self.batching.options == PADDED:
            return self.whole_rows(prompt, rows)
        return [logits for row in rows for logits in self.whole_rows(prompt, [row])]

    def _continued(self, prompt: Sequence[int], rows: Sequence[Sequence[int]]) -> list["torch.Tensor"]:
        """The prompt is read once."""
        import torch

        read = self.model(input_ids=torch.tensor([list(prompt)], device=self._device), use_cache=True, logits_to_keep=1)
        cache = read.past_key_values
        cache.batch_repeat_interleave(len(rows))
        tokens = torch.tensor(pad(rows, self.chat.filler), device=self._device)
        # Padding stands on the right, where a causal model never looks: no mask is needed.
        rest = self.model(input_ids=tokens, past_key_values=cache, use_cache=True).logits.float()
        logits_BTV = torch.cat([read.logits[:, -1:].float().expand(len(rows), -1, -1), rest[:, :-1]], dim=1)
        return [logits_BTV[i, : len(row)] for i, row in enumerate(rows)]

    def whole_rows(self, prompt: Sequence[int], rows: Sequence[Sequence[int]]) -> list["torch.Tensor"]:
        """The prompt is read with each row."""
        import torch

        tokens = torch.tensor(pad([[*prompt, *row] for row in rows], self.chat.filler), device=self._device)
        logits_BTV = self.model(input_ids=tokens, use_cache=False).logits[:, len(prompt) - 1 :].float()
        return [logits_BTV[i, : len(row)] for i, row in enumerate(rows)]

    def token_losses(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of negative log-likelihoods in nats, tokens) of plain texts, outside any conversation."""
        import torch

        losses = []
        with self.reading():
            for text in texts:
                row = [*self.chat.text_start, *self.chat.tokens(text)][: self.longest]
                if len(row) < 2:
                    losses.append((0.0, 0))
                    continue
                tokens = torch.tensor([row], device=self._device)
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

        # `generate` gives the head a slice of the hidden states. torch multiplies a slice in batches, with one copy of the
        # head's matrix for each row: 2 GB and most of the time for 40 prompts. A contiguous tensor is multiplied once.
        head = self.model.get_output_embeddings()
        hook = (
            head.register_forward_pre_hook(lambda module, given: (given[0].contiguous(), *given[1:]))
            if head is not None
            else None
        )
        try:
            with kept_modes(self.model), torch.no_grad():
                self.model.eval()
                yield
        finally:
            if hook is not None:
                hook.remove()


@contextmanager
def plainly(model: "PreTrainedModel | PeftModel") -> Iterator[None]:
    """Inside the `with` block `generate` inherits nothing: no repetition penalty, no beams, no suppressed tokens."""
    from transformers import GenerationConfig

    base: Any = model
    if hasattr(base, "get_base_model"):  # peft's wrapper
        base = base.get_base_model()
    inherited = base.generation_config
    base.generation_config = GenerationConfig(bos_token_id=inherited.bos_token_id)
    try:
        yield
    finally:
        base.generation_config = inherited


def _log_probabilities(logits_BTV: "torch.Tensor", tokens_BT: "torch.Tensor") -> "torch.Tensor":
    import torch

    picked_BT = logits_BTV.gather(-1, tokens_BT[..., None])[..., 0]
    return picked_BT - torch.logsumexp(logits_BTV, dim=-1)
