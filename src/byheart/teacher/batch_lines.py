"""What goes into a batch's file, and what comes back in one: a line for each request."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from byheart.store import content_key
from byheart.teacher.verdict import BROKEN, Again, Verdict, judge

OVER = {"completed", "failed", "expired", "cancelled"}
PARTS = {"t": "temperature", "s": "schema", "m": "max_tokens"}  # left out of a request, as its custom_id says


@dataclass
class Job:
    """One batch at the server."""

    content: str  # the content id
    keys: list[str]  # in the order of its file
    number: int  # which try of these requests it is; 0 where another cache knows
    record: Any  # openai.types.Batch, as last seen

    @property
    def over(self) -> bool:
        return self.record.status in OVER


def content_id(keys: Sequence[str]) -> str:
    """What a batch is known by, whatever the order of its requests."""
    return content_key("batch", sorted(keys))


def in_files(sizes: Mapping[str, int], most: int, most_bytes: int) -> Iterator[list[str]]:
    """Requests, of so many bytes each, as many at a time as one file may hold."""
    group: list[str] = []
    whole = 0
    for key, size in sizes.items():
        if group and (len(group) >= most or whole + size > most_bytes):
            yield group
            group, whole = [], 0
        group.append(key)
        whole += size
    if group:
        yield group


def write_line(key: str, without: Collection[str], body: Mapping[str, Any]) -> bytes:
    marks = "".join(mark for mark, part in PARTS.items() if part in without)
    line = {"custom_id": f"{key}-{marks}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


def read_lines(content: bytes, scrubbed: Callable[[str], str]) -> Iterator[tuple[str, frozenset[str], Verdict]]:
    """Each line of a file of answers: the request's key, what had been left out of it, and what came."""
    for raw in content.split(b"\n"):  # not splitlines: answers may hold U+2028
        try:
            line = json.loads(scrubbed(raw.decode("utf-8", "replace")))
            key, _, marks = line["custom_id"].partition("-")
            response, error = line.get("response"), line.get("error")
            if response:
                verdict = judge(int(response["status_code"]), {}, json.dumps(response.get("body")))
            else:
                verdict = Again(BROKEN, str((error or {}).get("message") or "no answer within the batch"))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # no line of ours, or half of one: its request stays open
        yield key, frozenset(PARTS[mark] for mark in marks if mark in PARTS), verdict
