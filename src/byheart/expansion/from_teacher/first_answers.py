"""The first requests of an expansion go one by one: what a server cannot do is told before the others are paid.

A model that thinks until its tokens are used up is given more room; the room that helped is kept for all requests.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from byheart.errors import Problem, UserError
from byheart.teacher.base import Failure, Reply, Request
from byheart.teacher.response import DECLINED, EMPTY, FILTERED, THOUGHT_OUT, why_empty
from byheart.teacher.session import input_tokens

ALIKE = 4  # requests in a row that a server did not answer, for one and the same reason, end the expansion
UNREAD = 8  # or so many answers in which nothing could be read: another temperature may do better
ROOMS = (1, 2, 4, 8)  # times the tokens of an answer
CUT_AT, CUT_SHARE = 256, 0.85  # a server cuts at a multiple of this; and below this share of the tokens that we count
SHOWN = 100  # characters of what a teacher said

# What helps, by the words of a reason; NAME stands for the expansion.
_HELP = (
    (
        THOUGHT_OUT,
        "let it think less, for example 'teacher.extra={reasoning_effort: low}' or, for Qwen3 on vLLM,"
        " 'teacher.extra={chat_template_kwargs: {enable_thinking: false}}'",
    ),
    (
        f"{FILTERED}|content.{{0,12}}(policy|filter|management)|filtered|moderat",
        "leave these passages out of the documents, or ask a server without this filter",
    ),
    (DECLINED, "ask another model: this one refuses such texts"),
    (
        r"context (length|window|size)|maximum context|max_tokens|max_completion_tokens|too (large|long|many tokens)",
        "start the server with a longer context, or ask for less at a time: expansion.NAME.pairs_per_request=4,"
        " expansion.NAME.tokens_per_pair=60 or chunks.max_tokens=256",
    ),
    ("^200 |from the server", "look into the server's own log, then run the same command again"),
    (re.escape(EMPTY), "try the model with one question by hand; a larger one may follow the prompt"),
    (
        "could be read|without an answer",
        "ask a larger model, or a server that keeps to a JSON schema (teacher.structured=true)",
    ),
)

Ask = TypeVar("Ask")


def helps(reason: str, name: str) -> str:
    """The setting that helps against this reason, for the expansion of this name; "" where none is known."""
    found = next((fix for words, fix in _HELP if re.search(words, reason, re.I)), "")
    return found.replace("NAME", name)


def first_of_each(asks: Sequence[Ask], chunk_of: Callable[[Ask], str]) -> list[Ask]:
    """The first ask about each chunk: a text that is filtered or too long says nothing of the others."""
    return list({chunk_of(ask): ask for ask in reversed(asks)}.values())[::-1]


def check_first_answers(
    name: str,
    asks: Sequence[Ask],
    send: Callable[[Ask, int], tuple[Request, Reply | Failure]],
    useless: Callable[[Reply], str],
) -> int:
    """Sends one ask after another until an answer is of use; gives the room that it needed.

    `send(ask, room)` sends one; `useless(reply)` says why a reply is of no use, or "". See `first_of_each`. Raises UserError where all fail for
    the same reason, and where the server cuts the prompts.
    """
    place, reasons, said, cut = 0, [], "", ""
    for ask in asks[:UNREAD]:
        while True:
            request, outcome = send(ask, ROOMS[place])
            why = outcome.reason if isinstance(outcome, Failure) else why_empty(outcome) or useless(outcome)
            if why != THOUGHT_OUT or ROOMS[place] == ROOMS[-1]:
                break
            place += 1
        if isinstance(outcome, Reply):
            said = outcome.text.strip() or said
            if now := cuts([request], [outcome]):
                if cut:
                    raise UserError(Problem(now, "teacher", fix=CUT_HELP))
                cut = now  # one more, to be sure
                continue
        if not why:
            return ROOMS[place]
        reasons.append(why)
        unread = isinstance(outcome, Reply) and not why_empty(outcome)
        # The same but for its numbers: "1040 tokens are too many", "800 tokens are too many".
        if len({re.sub(r"[\d,.]+", "0", reason) for reason in reasons}) == 1 and len(reasons) == (
            UNREAD if unread else ALIKE
        ):
            what = f"{why} (so ended the first {len(reasons)} requests, and no more were sent)"
            shown = f"; the teacher said: {' '.join(said.split())[:SHOWN]!r}" if said else ""
            raise UserError(Problem(f"{what}{shown}", f"expansion.{name}", fix=helps(why, name)))
    return ROOMS[place]


CUT_HELP = (
    "give the server a longer context (Ollama: OLLAMA_CONTEXT_LENGTH=8192; llama.cpp: -c 8192),"
    " or ask about shorter passages: chunks.max_tokens=256"
)


def cuts(requests: Sequence[Request], outcomes: Sequence[Reply | Failure]) -> str:
    """What the server's own count says of prompts that it cut; "" where nothing does.

    A server that cuts counts the same round number for prompts of any length. Our count is right to some 15 % only.
    """
    counted = [
        (request, outcome.input_tokens)
        for request, outcome in zip(requests, outcomes, strict=True)
        if isinstance(outcome, Reply) and outcome.input_tokens and outcome.input_tokens % CUT_AT == 0
    ]
    if not counted:
        return ""
    own = input_tokens([request for request, _ in counted])
    short = [(mine, theirs) for mine, (_, theirs) in zip(own, counted, strict=True) if theirs < CUT_SHARE * mine]
    if not short:
        return ""
    mine, theirs = max(short)
    return f"the server cut {len(short)} prompts: it counted {theirs:,} tokens of up to {mine:,}"
