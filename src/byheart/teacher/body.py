"""The JSON in a chat server's body: one object, or events, which some servers send though no stream was asked for."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_EVENT = re.compile(r"data:[ \t]?(.*)")
_OTHER = re.compile(r":|(?:event|id|retry):|\s*$")  # comments and fields of events without an answer in them
_DECODER = json.JSONDecoder()
NOT_JSON = (ValueError, RecursionError)  # also too many digits, and too many brackets
DONE = "[DONE]"
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def read_body(body: str) -> object | None:
    """The object that the server meant; None where the body is none, or a stream that broke off."""
    text = body.strip()
    try:
        value, end = _DECODER.raw_decode(text)
    except NOT_JSON:
        return _joined(_events(text))
    behind = _events(text[end:])
    return value if not text[end:].strip() or (behind is not None and set(behind) <= {DONE}) else None


def _events(text: str) -> list[str] | None:
    """The data of each event; None where a line is no part of one."""
    found = []
    for line in text.splitlines():
        if event := _EVENT.match(line):
            found.append(event[1].strip())
        elif not _OTHER.match(line):
            return None
    return found


def _joined(events: Sequence[str] | None) -> object | None:
    """One completion from the events of a stream."""
    parts = list(_objects(events or ()))
    for part in parts:
        if part.get("error") or any("message" in choice for choice in _choices(part)):
            return part  # an error in the middle, or the whole answer in one event
    texts: dict[str, list[str]] = {name: [] for name in TEXTS}
    finish, usage = None, None
    for part in parts:
        usage = part.get("usage") or usage
        for choice in _choices(part):
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta")
            for name, said in texts.items():
                if isinstance(delta, Mapping) and isinstance(delta.get(name), str):
                    said.append(delta[name])
    if finish is None and (not parts or not events or events[-1] != DONE):
        return None
    message = {name: "".join(said) for name, said in texts.items() if said}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish or "stop"}], "usage": usage}


def _objects(events: Sequence[str]) -> Iterator[dict[str, object]]:
    for event in events:
        try:
            value = json.loads(event)
        except NOT_JSON:
            continue
        if isinstance(value, dict):
            yield value


def _choices(part: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The first of the answers, if this event holds a piece of it."""
    choices = part.get("choices")
    first = [each for each in choices if isinstance(each, Mapping)] if isinstance(choices, list) else []
    return [each for each in first if each.get("index", 0) == 0]
