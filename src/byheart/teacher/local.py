"""A transformers model in this process: it needs no server, no key and no money.

Requests of all temperatures share a batch: each row has its own temperature, its own length and its own random numbers,
seeded by its request's key. So a request gets the same answer in every batch (in float32; in bfloat16 a batch of
another shape may round a logit otherwise).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from byheart.errors import AT_LEAST_1, Problem, UserError, gather, wrong_numbers
from byheart.model.as_found import plainly
from byheart.model.base_model import BaseModel
from byheart.model.chat import Chat, pad
from byheart.model.embedded import EMBEDDED
from byheart.model.files.tokenizer import OFFER_PLAIN
from byheart.model.memory import is_out_of_memory, release_memory
from byheart.store import content_key
from byheart.teacher.base import (
    Estimate,
    Failure,
    OnProgress,
    OnReply,
    Outcomes,
    Reply,
    Request,
    Requests,
    TeacherError,
    ignore,
)
from byheart.teacher.prices import Prices
from byheart.teacher.sender import noted
from byheart.teacher.session import AskSession, ask_session, estimate

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

DEVICES, PRECISIONS = ("auto", "cpu", "cuda", "mps"), ("auto", "float32", "bfloat16")
FREE = Prices(0.0, 0.0)


@dataclass(frozen=True)
class Local:
    """Loads the model for each `ask`, answers batch after batch, and frees the model."""

    path: str | None = None  # a folder or a hub id; None: the embedded model
    revision: str | None = None
    batch_tokens: int = 8192  # rows of a batch, times their longest prompt and answer
    device: str = "auto"
    precision: str = "auto"  # bfloat16 on a GPU, else float32
    threads: int | None = None  # of the CPU; None leaves torch's own number
    answers_soon: ClassVar[bool] = True

    def __post_init__(self) -> None:
        found = wrong_numbers(self, "teacher", {"batch_tokens": AT_LEAST_1, "threads": AT_LEAST_1})
        for name, known in (("device", DEVICES), ("precision", PRECISIONS)):
            if (value := getattr(self, name)) not in known:
                found.append(Problem(f"must be one of {', '.join(known)}", f"teacher.{name}", str(value)))
        gather(found)

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        """See `Teacher.ask`. Each answer is saved as soon as its row ends, while the other rows of its batch continue."""
        with ask_session(self.fingerprint, requests, on_reply, on_progress, FREE) as session:
            while mine := session.take():
                convert = self._base.unconverted
                session.update(note="converting the embedded model, once" if convert else "loading the model")
                with _threads(self.threads):
                    self._answer(session, mine)
            return session.results()

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        """See `Teacher.estimate`. Does not load the model."""
        return estimate(self.fingerprint, requests, FREE)

    def problems(self) -> Sequence[Problem]:
        """What is wrong with the model's folder or name; needs no torch."""
        return [_ours(problem) for problem in self._base.problems()]

    @property
    def title(self) -> str:
        return f"{self._base.path} in this process"

    @property
    def unverified(self) -> str:
        """See `BaseModel.unverified`."""
        return self._base.unverified

    @property
    def fingerprint(self) -> str:
        folder = Path(self._base.path).expanduser()
        if self._base.path != EMBEDDED and folder.is_dir():
            return f"{folder.resolve().name} in this process with {_content(folder)}"
        return f"{self._base.path}{f'@{self.revision}' if self.revision else ''} in this process"

    @property
    def _base(self) -> BaseModel:
        return BaseModel(self.path or EMBEDDED, revision=self.revision)

    def _load(self) -> tuple["PreTrainedModel", Chat]:
        import torch

        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        half = self.precision == "bfloat16" or (self.precision == "auto" and device == "cuda")
        try:
            model, tokenizer = self._base.load("bfloat16" if half else "float32", device)
            return model, self._base.chat(model, tokenizer)
        except UserError as error:
            raise TeacherError(*map(_ours, error.problems)) from error.__cause__

    def _answer(self, session: AskSession, mine: Mapping[str, Request]) -> None:
        model, chat = self._load()  # freed when this returns: training will need the memory
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or float("inf")
        rows = []
        for key, request in mine.items():
            prompt = _prompt(chat, request)
            room = int(min(request.max_tokens, longest - len(prompt)))
            if room < 1:
                session.ended(
                    key,
                    Failure(
                        f"its prompt of {len(prompt)} tokens leaves no room for an answer: the model takes {longest}"
                    ),
                )
            else:
                rows.append(Row(key, prompt, request.temperature, room))

        def ended(row: Row, tokens: list[int], stopped: bool) -> None:
            text, _ = chat.read(tokens, chat.stops)
            reply = Reply(text, len(row.prompt), len(tokens), False, "stop" if stopped else "length")
            session.ended(row.key, noted(reply, mine[row.key], frozenset()))

        for batch in batches(rows, self.batch_tokens):
            session.started(len(batch))
            for row in _answer_batch(model, chat, batch, ended):
                session.ended(row.key, Failure("the memory of the device is too small for this request"))


@dataclass(frozen=True)
class Row:
    """One request as the model sees it."""

    key: str
    prompt: Sequence[int]
    temperature: float
    room: int  # tokens that its answer may have


Ended = Callable[[Row, list[int], bool], None]  # row, tokens of its answer, whether it ended by itself


def batches(rows: Sequence[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Prompts of like length together, at most `batch_tokens` with their padding and answers, one row at least."""
    batch: list[Row] = []
    room = 0
    for row in sorted(rows, key=lambda row: (len(row.prompt), row.room)):
        room = max(room, row.room)
        if batch and (len(batch) + 1) * (len(row.prompt) + room) > batch_tokens:
            yield batch
            batch, room = [], row.room
        batch.append(row)
    if batch:
        yield batch


def _answer_batch(model: "PreTrainedModel", chat: Chat, rows: list[Row], ended: Ended) -> list[Row]:
    """The rows that the device's memory cannot hold even alone. A batch that it cannot hold is halved."""
    open_rows = {row.key: row for row in rows}

    def once(row: Row, tokens: list[int], stopped: bool) -> None:
        del open_rows[row.key]
        ended(row, tokens, stopped)

    try:
        answer_rows(model, chat, rows, once)
        return []
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        error.__traceback__ = None  # what the batch made hangs on its frames
        left = list(open_rows.values())
    release_memory()
    if len(rows) == 1:
        return left
    middle = (len(left) + 1) // 2
    halves = filter(None, (left[:middle], left[middle:]))
    return [row for half in halves for row in _answer_batch(model, chat, half, ended)]


def answer_rows(model: "PreTrainedModel", chat: Chat, rows: Sequence[Row], ended: Ended) -> None:
    """One `generate` over rows that share nothing but the matrix products. Calls `ended` for each row as it ends."""
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    device = next(model.parameters()).device
    filler, start = chat.filler, max(len(row.prompt) for row in rows)
    tokens = torch.tensor(pad([row.prompt for row in rows], filler, left=True), device=device)
    lengths = torch.tensor([len(row.prompt) for row in rows], device=device)
    mask = (torch.arange(start, device=device) >= start - lengths[:, None]).long()
    stops = chat.stops
    dice = _dice(rows).to(device)
    temperatures = torch.tensor([row.temperature for row in rows], device=device)
    open_rows = dict(enumerate(rows))

    def choose(seen_BT: torch.Tensor, logits_BV: torch.Tensor) -> torch.Tensor:
        picked_B = sample(logits_BV, temperatures, dice[:, seen_BT.shape[1] - start])
        return torch.full_like(logits_BV, float("-inf")).scatter_(1, picked_B[:, None], 0.0)

    def end(seen_BT: torch.Tensor, scores: object, **more: object) -> torch.Tensor:
        said = seen_BT[:, start:].tolist()
        for place, row in list(open_rows.items()):
            stopped = chat.is_ended(said[place], stops)
            if stopped or len(said[place]) >= row.room:
                del open_rows[place]
                ended(row, said[place], stopped)
        return torch.tensor([place not in open_rows for place in range(len(rows))], device=device)

    with plainly(model):  # a penalty would depend on the padding, and so on the other rows
        model.generate(  # type: ignore[operator]  # a mixin that only causal models have
            input_ids=tokens,
            attention_mask=mask,
            max_new_tokens=max(row.room for row in rows),
            do_sample=False,  # `choose` has sampled already: it leaves one token
            logits_processor=LogitsProcessorList([choose]),
            stopping_criteria=StoppingCriteriaList([end]),
            eos_token_id=sorted(stops.tokens) or None,
            pad_token_id=filler,
            temperature=None,
            top_p=None,
            top_k=None,
        )


def sample(logits_BV: "torch.Tensor", temperatures_B: "torch.Tensor", dice_B: "torch.Tensor") -> "torch.Tensor":
    """A token for each row at its own temperature: the one at which the sum of probabilities passes its die (0 to 1)."""
    import torch

    greedy_B = logits_BV.argmax(dim=-1)
    heat_B1 = temperatures_B.clamp(min=1e-4)[:, None]
    exact = torch.float32 if logits_BV.device.type == "mps" else torch.float64  # sums of 50,000 small numbers
    shifted_BV = (logits_BV.float() - logits_BV.float().amax(dim=-1, keepdim=True)) / heat_B1
    sums_BV = shifted_BV.softmax(dim=-1, dtype=exact).cumsum(dim=-1)
    drawn_B = torch.searchsorted(sums_BV, dice_B.to(exact)[:, None] * sums_BV[:, -1:], right=True)[:, 0]
    drawn_B = drawn_B.clamp(max=logits_BV.shape[1] - 1)
    return torch.where(temperatures_B > 0, drawn_B, greedy_B)


def _dice(rows: Sequence[Row]) -> "torch.Tensor":
    """For each row and token a random number from 0 to 1, drawn on the CPU so that it is the same for every device."""
    import torch

    dice = torch.zeros(len(rows), max(row.room for row in rows))
    for place, row in enumerate(rows):
        own = torch.Generator().manual_seed(int(row.key, 16) % 2**63)
        dice[place, : row.room] = torch.rand(row.room, generator=own)
    return dice


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.cuda.empty_cache()  # nothing, where there is none


def _prompt(chat: Chat, request: Request) -> list[int]:
    from jinja2 import TemplateError

    user = {"role": "user", "content": request.user}
    if not request.system:
        return chat.prompt_of([user])
    try:
        return chat.prompt_of([{"role": "system", "content": request.system}, user])
    except TemplateError:  # some templates (Gemma's) know no system turn
        return chat.prompt_of([{"role": "user", "content": f"{request.system}\n\n{request.user}"}])


def _content(folder: Path) -> str:
    """A hash of a folder's model: its settings, and 64 samples of each weight file, which may be too big to read."""
    parts: list[tuple[str | int, ...]] = []
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.jinja")]):
        parts.append((file.name, file.read_text(encoding="utf-8", errors="replace")))
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = file.stat().st_size
        with file.open("rb") as weights:
            for number in range(64):
                weights.seek(number * size // 64)
                parts.append((file.name, size, weights.read(2048).hex()))
    return content_key(*parts)[:8]


def _ours(problem: Problem) -> Problem:
    """With the config keys of the teacher's model in place of those of the trained one."""
    return replace(
        problem,
        where=problem.where.replace("model.", "teacher."),
        fix=problem.fix.removeprefix(OFFER_PLAIN).replace("model.path", "teacher.path"),
    )
