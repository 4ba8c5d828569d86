"""How a model is spoken to, by its own chat template: the prompt, where an answer begins, and where it ends.

All of it is found by asking the template with marks in place of the question and the answer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = list[dict[str, Any]]

DATE = "2024-07-26"  # what a template with a clock takes for today, unless `model.date` says otherwise

PLAIN = (  # for base models; {bos} is filled in where their tokenizer begins every text with it
    "{bos}{% for turn in messages %}{% if turn.role == 'user' %}Question: {{ turn.content }}\nAnswer:"
    "{% elif turn.role == 'assistant' %} {{ turn.content }}{{ eos_token }}\n"
    "{% else %}{{ turn.content }}\n\n{% endif %}{% endfor %}"
)

# Templates strip, split and search texts. They leave these as they are, and no template writes them itself.
_QUESTION, _ANSWER, _NEXT = "\u20637301\u2063", "\u20637302\u2063", "\u20637303\u2063"

# `strftime_now` is a global of transformers' templates that reads the clock. A macro of the same name hides it.
_CLOCK = (
    "{% macro strftime_now(format) %}{% set said = namespace(text=format) %}"
    "{% for sign, value in frozen_clock.items() %}{% set said.text = said.text.replace(sign, value) %}{% endfor %}"
    "{{ said.text }}{% endmacro %}{{ '' }}"
)
_SIGNS = "a A b B c d e H I j m M p S T U w W x X y Y F D Z z f -d -e -H -I -j -m -M -S".split()


@dataclass(frozen=True)
class Stops:
    """What ends a generated turn: any of the tokens, or any of the texts where an end is no token."""

    tokens: frozenset[int]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Format:
    """What the template writes around a question and an answer."""

    replaced: tuple[str, str]  # end of the rendered prompt -> how it must end for an answer to follow
    seam: str  # from behind the user's words to the answer
    lead: str  # belongs to the answer: spaces before its first word
    end: str  # behind the answer
    end_tokens: tuple[int, ...]  # where the template itself writes no end that a token stands for
    answer: Stops
    question: Stops


@dataclass(frozen=True, eq=False)
class Chat:
    """A tokenizer with its chat template's settings."""

    tokenizer: "PreTrainedTokenizerBase"
    args: Mapping[str, Any] = field(default_factory=dict)  # more variables for the template
    date: str = DATE
    ends: tuple[int, ...] = ()  # tokens at which the model's own `generate` stops
    vocabulary: int | None = None  # rows of the model's embeddings

    def prompt(self, question: str) -> list[int]:
        """The conversation up to where the assistant's answer begins."""
        return self.prompt_of([{"role": "user", "content": question}])

    def prompt_of(self, turns: Turns) -> list[int]:
        text, (old, new) = self.render(turns, generate=True), self._format.replaced
        return self.tokens(text.removesuffix(old) + new if text.endswith(old) else text)

    def answer(self, text: str, end: bool = True) -> list[int]:
        """The assistant's words, with the template's end of turn unless `end` is false."""
        form = self._format
        tokens = self._behind(form.seam, f"{form.lead}{text}{form.end if end else ''}")
        return [*tokens, *form.end_tokens] if end else tokens

    @property
    def stops(self) -> Stops:
        """What ends an answer: the template's end of turn, and whatever the model's own `generate` stops at."""
        return self._format.answer

    @property
    def question_stops(self) -> Stops:
        """What ends a user's question, where the model makes one up."""
        return self._format.question

    def read(self, row: Sequence[int], stops: Stops) -> tuple[str, bool]:
        """The text of generated tokens up to their end, and whether there was one."""
        place = next((i for i, token in enumerate(row) if token in stops.tokens), None)
        text = str(self.tokenizer.decode(list(row[:place]), skip_special_tokens=True))
        cuts = [text.index(stop) for stop in stops.texts if stop in text]
        text = text[: min(cuts, default=None)].strip().removeprefix(self._format.lead.strip())
        return text.strip(), bool(cuts) or place is not None

    def is_ended(self, row: Sequence[int], stops: Stops) -> bool:
        """Whether the last of the generated tokens is an end."""
        if row[-1] in stops.tokens:
            return True
        last = max(map(len, stops.texts), default=0)  # a token is a letter at least
        text = str(self.tokenizer.decode(list(row[-last - 1 :]))) if last else ""
        return any(stop in text for stop in stops.texts)

    @cached_property
    def head(self) -> list[int]:
        """The conversation up to where the user begins to speak."""
        return self.tokens(self.render(_turns(_QUESTION)).partition(_QUESTION)[0])

    @cached_property
    def text_start(self) -> list[int]:
        """The tokens that the tokenizer puts before every text: BOS, or nothing."""
        whole, alone = self.tokenizer("a").input_ids, self.tokens("a")
        starts = [i for i in range(len(whole)) if whole[i : i + len(alone)] == alone]
        return list(whole[: starts[0]]) if starts else []

    @cached_property
    def filler(self) -> int:
        """A token for padding that the model has an embedding of. No mask and no loss depends on which."""
        offered = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        return next(id for id in offered if id is not None and (self.vocabulary is None or id < self.vocabulary))

    @property
    def variables(self) -> Mapping[str, Any]:
        """What the template is given besides the turns."""
        return self._args

    @property
    def has_clock(self) -> bool:
        return "strftime_now" in self.tokenizer.get_chat_template()

    def tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def render(self, turns: Turns, generate: bool = False) -> str:
        """The template's text. Raises what the template raises."""
        parts, system = self._content
        if system and turns[0]["role"] != "system":
            turns = [{"role": "system", "content": ""}, *turns]
        return self._render(turns, generate, parts, self._args)

    def _render(self, turns: Turns, generate: bool, parts: bool, args: Mapping[str, Any]) -> str:
        if parts:
            turns = [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in turns]
        template, more = self.tokenizer.get_chat_template(), dict(args)
        if self.has_clock:
            moment = datetime.fromisoformat(self.date)
            template = _CLOCK + template
            more["frozen_clock"] = {f"%{sign}": moment.strftime(f"%{sign}") for sign in _SIGNS}
        text = self.tokenizer.apply_chat_template(
            turns, chat_template=template, tokenize=False, add_generation_prompt=generate, **more
        )
        return str(text)

    @cached_property
    def _content(self) -> tuple[bool, bool]:
        """Whether the template reads a turn's content in parts, as those of vision models, and must have a system turn."""
        said = "it leaves out what the user says"
        for system in (False, True):
            turns = [{"role": "system", "content": ""}] * system + _turns(_QUESTION)
            for parts in (False, True):
                try:
                    if _QUESTION in self._render(turns, False, parts, self.args):
                        return parts, system
                except Exception as error:  # whatever a template may raise
                    said = str(error) or type(error).__name__
        fix = "use a template of your own (model.template=FILE), or plain lines (model.template=plain)"
        raise UserError(Problem(f"its chat template cannot write a question: {said}", "model.template", fix=fix))

    @cached_property
    def _args(self) -> Mapping[str, Any]:
        """With thinking switched off, where the template knows such a switch and nobody has set it."""
        if "enable_thinking" in self.args:
            return self.args
        parts, system = self._content
        turns = [{"role": "system", "content": ""}] * system + _turns(_QUESTION)
        quiet = {**self.args, "enable_thinking": False}
        differs = self._render(turns, True, parts, quiet) != self._render(turns, True, parts, self.args)
        return quiet if differs else self.args

    def _behind(self, before: str, text: str) -> list[int]:
        """The tokens of a text that stands behind another. Alone, some tokenizers would put a space before it."""
        start, whole = self.tokens(before), self.tokens(before + text)
        return whole[len(start) :] if whole[: len(start)] == start else self.tokens(text)

    @cached_property
    def _format(self) -> _Format:
        prompt = self.render(_turns(_QUESTION), generate=True)
        head, tail = self._around_answer(_turns(_QUESTION, _ANSWER), "")
        _, between = self._around_answer(_turns(_QUESTION, _ANSWER, _NEXT), _NEXT)
        old, new, lead = "", "", ""
        if head.startswith(prompt):  # an empty thinking block, a channel's name; or just a space
            new = head.removeprefix(prompt)
        elif head and prompt.startswith(head) and prompt.removeprefix(head).strip():
            old = prompt.removeprefix(head)  # a thinking block that the template leaves out of a finished answer
        if not new.strip() or self._args.get("enable_thinking"):
            new, lead = "", new
        else:
            new, lead = new.rstrip(" "), new[len(new.rstrip(" ")) :]
        seam = (prompt.removesuffix(old) + new).rpartition(_QUESTION)[2]
        end, end_tokens, answer = self._end(tail, between)
        question = self._stops_in(seam + lead)
        tokens = answer.tokens | question.tokens
        return _Format((old, new), seam, lead, end, end_tokens, answer, Stops(tokens, question.texts))

    def _around_answer(self, turns: Turns, until: str) -> tuple[str, str]:
        """What the template writes before the answer, and what behind it, up to the user's next words."""
        try:
            head, found, tail = self.render(turns).rpartition(_ANSWER)
        except Exception:  # whatever a template may raise: it writes one turn only
            return "", ""
        return (head, tail.partition(until)[0] if until else tail) if found else ("", "")

    def _end(self, tail: str, between: str) -> tuple[str, tuple[int, ...], Stops]:
        """The text behind an answer that ends it, the tokens to teach behind that, and what ends an answer.

        `tail` stands behind the last answer of a conversation, `between` behind one that the user replies to.
        """
        own = [id for id in (self.tokenizer.eos_token_id, *self.ends) if id is not None]
        tokens, texts, added = set(own), [], list[int]()
        if found := self._first(self._special, tail) or self._first(own, between):
            end = found[0]
            tokens.add(found[1])
        else:  # its end is in plain words, or there is none: the model's own `generate` stops at its own end only
            end, added = (tail if own or tail.strip() else between).rstrip(), own[:1]
            texts.append(end.strip())
        after = between.removeprefix(end)
        if re.match(r"\s*\n", after) and not self._first(self._special, after):
            texts.append("\n" + after.strip())  # a base model asks the next question in place of an end
        texts = [text for text in texts if _is_telling(text)]
        if not tokens and not texts:
            fix = "add eos_token to its tokenizer_config.json, or eos_token_id to its generation_config.json"
            raise UserError(Problem("nothing ends an answer of this model", "model.template", fix=fix))
        return end, tuple(added), Stops(frozenset(tokens), tuple(texts))

    def _stops_in(self, text: str) -> Stops:
        """The first special token of a text; else its words."""
        if found := self._first(self._special, text):
            return Stops(frozenset({found[1]}))
        return Stops(frozenset(), (text.strip(),) if _is_telling(text) else ())

    @cached_property
    def _special(self) -> list[int]:
        """Special tokens, also those without a name (eos, bos, ...), as Gemma's end of turn is."""
        added = [id for id, token in self.tokenizer.added_tokens_decoder.items() if token.special]
        return [*{*added, *self.tokenizer.all_special_ids, *self.ends}]

    def _first(self, tokens: list[int], text: str) -> tuple[str, int] | None:
        """A text up to and with the first of these tokens in it, and that token."""
        names = zip(self.tokenizer.convert_ids_to_tokens(tokens), tokens, strict=True)
        found = [(text.index(name), -len(name), id) for name, id in names if name and name in text]
        # What looks like a token may be read as several: not every end is declared to the tokenizer.
        found = [each for each in found if self.tokens(text[each[0] : each[0] - each[1]])[-1:] == [each[2]]]
        if not found:
            return None
        start, length, id = min(found)
        return text[: start - length], id


def _turns(*said: str) -> Turns:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]


def _is_telling(text: str) -> bool:
    """Whether a text can end an answer by itself: a full stop or a line break may stand within one."""
    return len(text.strip()) >= 3


def pad(rows: Sequence[Sequence[int]], filler: int, left: bool = False) -> list[list[int]]:
    longest = max(len(row) for row in rows)
    if left:
        return [[filler] * (longest - len(row)) + list(row) for row in rows]
    return [list(row) + [filler] * (longest - len(row)) for row in rows]
