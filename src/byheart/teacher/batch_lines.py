"""The lines of a batch's files, one for each request: written for the upload, read from the answers."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.store import content_key
from byheart.teacher.response import BROKEN, Response, Retry, read_response

if TYPE_CHECKING:
    import openai

LONGEST = 2000  # characters of a reason
NAME, NUMBER = "byheart", "byheart_try"  # in a batch's metadata: its content id, and which try of its requests it is
OVER = {"completed", "failed", "expired", "cancelled"}
PARTS = {
    "t": "temperature",
    "s": "schema",
    "m": "max_tokens",
}  # the parts that a request was sent without, as noted in its custom_id


def is_sound(said: object) -> bool:
    """Whether a batch or a file as the server described it has the types that are used: the client checks none."""
    name, *texts = (getattr(said, field, None) for field in ("id", "status", "output_file_id", "error_file_id"))
    return (
        isinstance(name, str)
        and bool(name)
        and all(isinstance(text, str | None) for text in texts)
        and isinstance(getattr(said, "metadata", None), dict | None)
    )


@dataclass
class SubmittedBatch:
    """One batch at the server."""

    content: str  # the content id
    keys: list[str]  # in the order of its file
    number: int  # the number of tries of these requests, this one included; 0 where only another cache knows
    record: "openai.types.Batch"  # as last seen

    @property
    def over(self) -> bool:
        return self.record.status in OVER

    @property
    def tries(self) -> int:
        """Which try of its requests it is, as its metadata say; 0 where they do not."""
        said = str((self.record.metadata or {}).get(NUMBER))
        return int(said) if said.isdecimal() and len(said) < 4 else 0


def content_id(keys: Sequence[str]) -> str:
    """The id of a batch, by its requests in any order."""
    return content_key("batch", sorted(keys))


def in_files(sizes: Mapping[str, int], most: int, most_bytes: int) -> Iterator[list[str]]:
    """Groups of requests, each small enough for one file. `sizes`: bytes of each."""
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


def write_line(key: str, without: Collection[str], body: Mapping[str, object]) -> bytes:
    marks = "".join(mark for mark, part in PARTS.items() if part in without)
    line = {"custom_id": f"{key}-{marks}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


def read_lines(content: bytes) -> Iterator[tuple[str, frozenset[str], Response]]:
    """Each line of a file of answers: the request's key, the parts it was sent without, and the response."""
    for raw in content.split(b"\n"):  # not splitlines: answers may hold U+2028
        try:
            line = json.loads(raw.decode("utf-8", "replace"))
            key, _, marks = line["custom_id"].partition("-")
            response, error = line.get("response"), line.get("error")
            if response:
                said: Response = read_response(int(response["status_code"]), {}, json.dumps(response.get("body")))
            else:
                said = Retry(BROKEN, str((error or {}).get("message") or "no answer within the batch")[:LONGEST])
        except Exception:
            continue  # not written by us, or an incomplete line: its request stays open
        yield key, frozenset(PARTS[mark] for mark in marks if mark in PARTS), said
