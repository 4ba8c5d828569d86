"""A run's model that answers as it did when it was scored, with the answer as it streams; and what to compare it with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.errors import gather
from byheart.evaluation.retrieval import ask_with
from byheart.model.adapters.attaching import load_adapter
from byheart.model.base_model import BaseModel
from byheart.model.chat import Chat, Stops, Turns
from byheart.model.language import LanguageModel
from byheart.use.find_run import TrainedRun, trained_run
from byheart.use.sources import Library, Source

if TYPE_CHECKING:
    import torch

MOST_TOKENS, LEAST_TOKENS = 512, 32  # of one answer
TUNED, UNTUNED, OPEN_BOOK = "tuned", "untuned", "open_book"

OnText = Callable[[str], None]  # called with each piece of an answer, as soon as it is said


@dataclass(frozen=True)
class Reply:
    """What `ask` returns. The other models' answers and the source are None where they were not asked for."""

    answer: str
    untuned: str | None = None
    open_book: str | None = None
    source: Source | None = None  # also None where no fact shares a word with the answer


@dataclass(frozen=True)
class Said:
    """One model's answer. `ended`: false where it was cut after the most tokens of an answer."""

    text: str
    ended: bool
    tokens: int
    left_out: int = 0  # the oldest turns of the conversation, which did not fit
    cut: bool = False  # whether the beginning of the question did not fit either


def ask(run: str | Path, question: str, compare: bool = False, sources: bool = False) -> Reply:
    """Asks the model of a finished run. `run`: its folder, a sweep's, a name under outputs/, or "latest".

    For many questions, open it once: `model = open_run(trained_run(run))`, then `model.reply(question)`.
    """
    return open_run(trained_run(str(run))).reply(question, compare, sources)


def open_run(run: TrainedRun) -> "RunModel":
    """Loads the model with its adapter, once. Raises UserError where the base model is missing or another."""
    with chdir(run.started_in):
        base = replace(run.base, path=str(run.weights), revision=None) if run.full else run.base
        gather(base.problems())
        device, dtype = run.trainer.place()
        model, tokenizer = base.load(dtype, device)
        chat = base.chat(model, tokenizer)
        tuned = model if run.full else load_adapter(model, run.weights)
    return RunModel(run, (device, dtype), LanguageModel(tuned, chat))


@dataclass
class RunModel:
    """A trained model, and the same model before it was trained."""

    run: TrainedRun
    place: tuple[str, str]  # device, dtype
    tuned: LanguageModel

    @cached_property
    def library(self) -> Library:
        return Library(self.run.folder)

    def reply(self, question: str, compare: bool = False, sources: bool = False) -> Reply:
        turns = [{"role": "user", "content": question}]
        answer = self.say(TUNED, turns).text
        untuned, open_book = (self.say(name, turns).text if compare else None for name in (UNTUNED, OPEN_BOOK))
        return Reply(answer, untuned, open_book, self.library.source(question, answer) if sources else None)

    def say(self, name: str, turns: Turns, on_text: OnText = lambda piece: None) -> Said:
        """The answer of one of the models to the last turn. With open book, its passage is found by that turn's words."""
        if name == OPEN_BOOK:
            question = str(turns[-1]["content"])
            turns = [*turns[:-1], turns[-1] | {"content": ask_with(self.library.passage(question), question)}]
        with self._model(name) as model:
            return _say(model, turns, on_text)

    @contextmanager
    def _model(self, name: str) -> Iterator[LanguageModel]:
        peft: Any = self.tuned.model
        if name == TUNED:
            yield self.tuned
        elif self.run.full:
            yield self._base
        else:
            with peft.disable_adapter():
                yield self.tuned

    @cached_property
    def _base(self) -> LanguageModel:
        """The base in memory beside the model whose weights were all trained."""
        base: BaseModel = self.run.base
        with chdir(self.run.started_in):
            gather(base.problems())
            device, dtype = self.place
            model, tokenizer = base.load(dtype, device)
            return LanguageModel(model, base.chat(model, tokenizer))


def _say(model: LanguageModel, turns: Turns, on_text: OnText) -> Said:
    """Greedy, as the evaluations ask. Of a conversation that is too long, the oldest turns are left out."""
    chat, longest = model.chat, model.longest
    most = min(MOST_TOKENS, max(1, longest // 2)) if longest else MOST_TOKENS
    first = 0
    prompt = chat.prompt_of(turns)
    while longest and len(prompt) > longest - most and first + 2 < len(turns):
        first += 2  # a question with its answer: many templates refuse a conversation that begins with an answer
        prompt = chat.prompt_of(turns[first:])
    if longest:  # a long question is read whole as long as an answer of some words fits behind it
        most = min(most, max(LEAST_TOKENS, longest - len(prompt)))
    stream = _Stream(chat, chat.stops, on_text)
    with model.reading():
        model.generate([prompt], most, chat.stops, options={"streamer": stream})
    text, ended = stream.end_of_answer()
    return Said(text, ended, len(stream.tokens), first, bool(longest and len(prompt) > longest - most))


class _Stream:
    """What transformers' `generate` hands each token to. Passes on the text as far as later tokens cannot change it."""

    def __init__(self, chat: Chat, stops: Stops, on_text: OnText):
        self.chat, self.stops, self.on_text = chat, stops, on_text
        self.tokens: list[int] = []
        self.told = ""
        self.prompted = False

    def put(self, value: "torch.Tensor") -> None:
        if not self.prompted:  # the first call has the prompt
            self.prompted = True
            return
        self.tokens += value.flatten().tolist()
        text, ended = self.chat.read(self.tokens, self.stops)
        self._tell(text if ended else _settled(text, self.stops.texts))

    def end(self) -> None:
        """Part of transformers' contract; `end_of_answer` passes the rest on."""

    def end_of_answer(self) -> tuple[str, bool]:
        text, ended = self.chat.read(self.tokens, self.stops)
        if not text.startswith(self.told):  # a tokenizer that joins words anew when more of them are there
            self.on_text("\n")
            self.told = ""
        self._tell(text)
        return text, ended

    def _tell(self, text: str) -> None:
        if text.startswith(self.told) and len(text) > len(self.told):
            self.on_text(text[len(self.told) :])
            self.told = text


def _settled(text: str, stops: Sequence[str]) -> str:
    """A text without an unfinished character at its end, and without what may become one of the stops."""
    text = text.rstrip("\ufffd")
    longest = max((size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])), default=0)
    return text[: len(text) - longest].rstrip()
