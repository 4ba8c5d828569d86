"""A loaded model that answers questions, scores answers and reads text: what the evaluations ask of a model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from byheart.model.as_found import kept_modes, plainly
from byheart.model.chat import Chat, Stops, pad
from byheart.model.divergence import divergences
from byheart.model.memory import in_batches, rows_that_fit
from byheart.model.random_state import kept_random_state

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

PADDED, EQUAL, ALONE, SHARED, TOGETHER = "padded", "equal", "alone", "shared", "together"
Option = tuple[tuple[int, ...], Sequence[int]]  # the tokens of a prompt, and of a reply to it


def _nothing(*told: object) -> None:
    pass


@dataclass(frozen=True)
class Batching:
    """What a model may read together without another result than alone (`batching.py` asks it)."""

    prompts: str = PADDED  # on the left, for `generate`; or only those of EQUAL length, or each ALONE
    # Continue one reading of their prompts, TOGETHER with others that are padded on the left; or SHARED: with prompts of
    # the same length only; or whole rows PADDED on the right, or each ALONE.
    options: str = SHARED


@dataclass(frozen=True)
class LanguageModel:
    """Greedy and batched; the model's train or eval mode and its random state are left as they were found."""

    model: "PreTrainedModel | PeftModel"
    chat: Chat
    batching: Batching = Batching()
    rows_at_once: int = 16
    rows_wanted: int = 0  # generated at a time on a CPU too, where memory has room for more than `rows_at_once`

    def answer(
        self,
        questions: Sequence[str],
        max_new_tokens: int,
        on_progress: Callable[[int, int], None] = _nothing,
        on_rows: Callable[[Sequence[int]], None] = _nothing,
    ) -> list[str]:
        """The model's reply to each question, alone in its own conversation.

        on_progress: (answered, of how many), after each batch. on_rows: before a batch is generated, the numbers of its
        questions.
        """
        prompts = [self.chat.prompt(question) for question in questions]
        # Like lengths together: a short prompt beside a long one would be mostly padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        texts = [""] * len(prompts)
        longest = max(map(len, prompts), default=0) + max_new_tokens
        at_once = rows_that_fit(self.model, longest, self.rows_at_once, wanted=self.rows_wanted)
        stops, done = self.chat.stops, 0

        def generate(batch: Sequence[int]) -> list[list[int]]:
            def told(rows: Sequence[int]) -> None:
                on_rows([batch[row] for row in rows])

            return self.generate([prompts[i] for i in batch], max_new_tokens, stops, told)

        with self.reading():
            for batch, rows in in_batches(order, at_once, generate):
                for i, row in zip(batch, rows, strict=True):
                    texts[i] = self.chat.read(row, stops)[0]
                done += len(batch)
                on_progress(done, len(questions))
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
        rows = self.generate(prompts, max_new_tokens, stops, options=options)
        return [self.chat.read(row, stops) for row in rows]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stops: Stops | None = None,
        on_rows: Callable[[Sequence[int]], None] = _nothing,
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> list[list[int]]:
        """The new tokens of each prompt, within `reading()`. Greedy, unless `options` of transformers say otherwise.

        Rows that end before the others are filled up. on_rows: before a batch is generated, the numbers of its prompts.
        """
        rows: list[list[int]] = [[]] * len(prompts)
        prompts = [self.fitting(prompt, max_new_tokens) for prompt in prompts]
        kind = {PADDED: lambda i: 0, EQUAL: lambda i: len(prompts[i]), ALONE: lambda i: i}[self.batching.prompts]
        for batch in by_kind(len(prompts), kind):
            length = max(len(prompts[i]) for i in batch)
            on_rows(batch)
            found_BT = self.generate_batch([prompts[i] for i in batch], max_new_tokens, stops, options)
            for i, row in zip(batch, found_BT[:, length:].tolist(), strict=True):
                rows[i] = row
        return rows

    def generate_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Stops | None, options: Mapping[str, object]
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
                input_ids=tokens_BT,
                attention_mask=mask_BT.long(),
                max_new_tokens=max_new_tokens,
                **settings | dict(options),
            )

    def _ends_in_words(self, start: int, stops: Stops) -> "Callable[..., torch.Tensor]":
        import torch

        def ended(seen_BT: "torch.Tensor", scores: object, **more: object) -> "torch.Tensor":
            rows = seen_BT[:, start:].tolist()
            return torch.tensor([self.chat.is_ended(row, stops) for row in rows], device=seen_BT.device)

        return ended

    def likelihoods(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[tuple[float, int]]]:
        """(sum of log-probabilities in nats, tokens) of each continuation as the reply to its question.

        The end of turn is not counted: whether an option is a whole reply is not what is asked.
        """
        import torch

        found: list[list[tuple[float, int]]] = []
        rows: list[tuple[int, Option]] = []  # with the number of the question
        for number, (question, continuations) in enumerate(asked):
            options = [self.chat.answer(text, end=False) for text in continuations]
            prompt = tuple(self.fitting(self.chat.prompt(question), max(map(len, options), default=0)))
            rows += [(number, (prompt, option)) for option in options]
            found.append([])
        # Like lengths together, and all that follows the same prompt, so that it is read once.
        order = sorted(range(len(rows)), key=lambda i: _by_length(*rows[i][1]))
        scores: dict[int, tuple[float, int]] = {}

        def score(batch: Sequence[int]) -> None:
            logits = self.option_logits([rows[i][1] for i in batch])
            for i, logits_TV in zip(batch, logits, strict=True):
                tokens_1T = torch.tensor([list(rows[i][1][1])], device=self._device)
                scores[i] = float(_log_probabilities(logits_TV[None], tokens_1T).sum()), tokens_1T.shape[1]

        with self.reading():
            for _ in in_batches(order, self._options_at_once([row for _, row in rows]), score):
                pass
        for i, (number, _) in enumerate(rows):
            found[number].append(scores[i])
        return found

    def _options_at_once(self, rows: Sequence[Option]) -> int:
        if self.batching.options == ALONE or not rows:
            return 1
        longest, words = max(len(prompt) + len(row) for prompt, row in rows), max(len(row) for _, row in rows)
        kept = longest if self.batching.options == PADDED else words  # tokens of a row that logits are computed for
        return rows_that_fit(self.model, longest, self.rows_at_once, kept)

    def option_logits(self, rows: Sequence[Option]) -> list["torch.Tensor"]:
        """What is predicted at each token of each row that may follow its prompt, (T, V) each, within `reading()`."""
        way = self.batching.options
        if way in (PADDED, ALONE):
            batches = [rows] if way == PADDED else [[row] for row in rows]
            return [logits for batch in batches for logits in self.whole_rows(batch)]
        prompts = [prompt for prompt, _ in rows]
        kind: Callable[[int], object] = (lambda i: 0) if way == TOGETHER else (lambda i: len(prompts[i]))
        if self.longest and max(map(len, prompts)) + max(len(row) for _, row in rows) > self.longest:
            kind = prompts.__getitem__  # padding would take a place that the model does not have
        found: list[Any] = [None] * len(rows)
        for batch in by_kind(len(rows), kind):
            for i, logits_TV in zip(batch, self._continued([rows[i] for i in batch]), strict=True):
                found[i] = logits_TV
        return found

    def _continued(self, rows: Sequence[Option]) -> list["torch.Tensor"]:
        """Each prompt is read once, beside others that may need padding on its left."""
        import torch

        prompts = list(dict.fromkeys(prompt for prompt, _ in rows))
        own_R = torch.tensor([prompts.index(prompt) for prompt, _ in rows], device=self._device)
        lengths_P = torch.tensor([len(prompt) for prompt in prompts], device=self._device)
        tokens_PT = torch.tensor(pad(prompts, self.chat.filler, left=True), device=self._device)
        options_RT = torch.tensor(pad([row for _, row in rows], self.chat.filler), device=self._device)
        width, count = tokens_PT.shape[1], options_RT.shape[1]
        places: dict[str, Any] = {}
        more: dict[str, Any] = {}
        if int(lengths_P.min()) < width:
            steps_T = torch.arange(width + count, device=self._device)
            mask_PT = steps_T >= width - lengths_P[:, None]
            at_PT = (steps_T - (width - lengths_P[:, None])).clamp(min=0)
            places = {"attention_mask": mask_PT[:, :width].long(), "position_ids": at_PT[:, :width]}
            more = {"attention_mask": mask_PT[own_R].long(), "position_ids": at_PT[own_R, width:]}
        read = self.model(input_ids=tokens_PT, use_cache=True, logits_to_keep=1, **places)
        cache = read.past_key_values
        if len(prompts) == 1:
            cache.batch_repeat_interleave(len(rows))
        else:
            cache.batch_select_indices(own_R)
        # Padding of options stands on the right, where a causal model never looks: no mask is needed for it.
        rest = self.model(input_ids=options_RT, past_key_values=cache, use_cache=True, **more).logits.float()
        logits_RTV = torch.cat([read.logits[own_R, -1:].float(), rest[:, :-1]], dim=1)
        return [logits_RTV[i, : len(row)] for i, (_, row) in enumerate(rows)]

    def whole_rows(self, rows: Sequence[Option]) -> list["torch.Tensor"]:
        """The prompt is read with each row."""
        import torch

        tokens = torch.tensor(pad([[*prompt, *row] for prompt, row in rows], self.chat.filler), device=self._device)
        logits_RTV = self.model(input_ids=tokens, use_cache=False).logits
        ends = [(len(prompt) - 1, len(prompt) - 1 + len(row)) for prompt, row in rows]
        return [logits_RTV[i, start:end].float() for i, (start, end) in enumerate(ends)]

    def token_losses(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of negative log-likelihoods in nats, tokens) of plain texts, outside any conversation."""
        return [(sum(losses), len(losses)) for losses in self.losses_by_token(texts)]

    def losses_by_token(self, texts: Sequence[str]) -> list[list[float]]:
        """The negative log-likelihood in nats of each token of each plain text but the first, where no BOS stands before it."""
        import torch

        found: list[list[float]] = []
        with self.reading():
            for text in texts:
                row = [*self.chat.text_start, *self.chat.tokens(text)][: self.longest]
                if len(row) < 2:
                    found.append([])
                    continue
                tokens = torch.tensor([row], device=self._device)
                logits = self.model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
                found.append((-_log_probabilities(logits, tokens[:, 1:])[0]).tolist())
        return found

    def divergences(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """(sum of KL(untuned || this model) in nats, tokens) of each reply; empty without an adapter to switch off."""
        return divergences(self, asked)

    def go_on(self, texts: Sequence[str], max_new_tokens: int, seed: int | None = None) -> list[str]:
        """What follows each plain text, outside any conversation: greedy, or with a seed sampled at temperature 1."""
        import torch

        prompts = [[*self.chat.text_start, *self.chat.tokens(text)] for text in texts]
        options: dict[str, object] = {} if seed is None else {"do_sample": True, "temperature": 1.0, "top_k": 0}
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        longest = max(map(len, prompts), default=0) + max_new_tokens
        found = [""] * len(prompts)

        def reply(batch: Sequence[int]) -> list[tuple[str, bool]]:
            return self.reply([prompts[i] for i in batch], max_new_tokens, self.chat.stops, **options)

        with self.reading(), kept_random_state():
            if seed is not None:
                torch.manual_seed(seed)
            for batch, said in in_batches(order, rows_that_fit(self.model, longest, self.rows_at_once), reply):
                for i, (text, _) in zip(batch, said, strict=True):
                    found[i] = text
        return found

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


def _log_probabilities(logits_BTV: "torch.Tensor", tokens_BT: "torch.Tensor") -> "torch.Tensor":
    import torch

    picked_BT = logits_BTV.gather(-1, tokens_BT[..., None])[..., 0]
    return picked_BT - torch.logsumexp(logits_BTV, dim=-1)


def by_kind(count: int, kind: Callable[[int], object]) -> list[list[int]]:
    """The places of `count` items, those of one kind in one list."""
    kinds: dict[object, list[int]] = {}
    for i in range(count):
        kinds.setdefault(kind(i), []).append(i)
    return list(kinds.values())


def _by_length(prompt: tuple[int, ...], row: Sequence[int]) -> tuple[object, ...]:
    return len(prompt), prompt, len(row), tuple(row)
