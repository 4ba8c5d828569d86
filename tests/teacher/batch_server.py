"""A real HTTP server on this machine that keeps files and works through batches, as OpenAI's does: well or badly."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from teacher.chat_server import Call, ChatServer, Say, answer, error

Line = dict[str, Any]


@dataclass
class Made:
    """One batch as the server keeps it."""

    record: dict[str, Any]
    lines: list[Line]
    looks: int = 0  # how often it was looked at since


@dataclass(frozen=True)
class Fate:
    """What becomes of a batch: its last status, how many of its lines are answered, and after how many looks."""

    status: str = "completed"
    answered: int | None = None  # None: all
    looks: int = 1
    errors: tuple[dict[str, Any], ...] = ()


def well(line: Line) -> tuple[int, Any]:
    """(status, body) for one request."""
    said = line["body"]["messages"][-1]["content"]
    return 200, answer(f"{said} at {line['body'].get('temperature')}")


@dataclass
class BatchServer(ChatServer):
    """`with BatchServer() as server`: `made` are its batches in the order of their making, `files` what it keeps."""

    respond: Callable[[Line], tuple[int, Any]] = well
    fate: Callable[[int], Fate] = lambda number: Fate()
    before: Callable[[Call], Say | None] = lambda call: None  # trouble in place of what would happen
    after: Callable[[Call], Say | None] = lambda call: None  # trouble in place of the response to what did happen
    port: int = 0
    page: int = 100  # batches in one page of the list
    made: list[Made] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self._route, self.port)

    def __enter__(self) -> "BatchServer":
        super().__enter__()
        return self

    @property
    def computed(self) -> int:
        """How many requests were submitted so far."""
        return sum(len(made.lines) for made in self.made)

    def _route(self, call: Call) -> Say:
        if trouble := self.before(call):
            return trouble
        said = self._do(call)
        return self.after(call) or said

    def _do(self, call: Call) -> Say:
        path, _, query = call.path.partition("?")
        if (call.method, path) == ("POST", "/v1/files"):
            return self._keep(call)
        if found := re.fullmatch(r"/v1/files/([\w-]+)/content", path):
            content = self.files.get(found[1])
            return error("no such file", 404) if content is None else Say(content, headers={"content-type": "x/y"})
        if (call.method, path) == ("POST", "/v1/batches"):
            return self._make(call)
        if path == "/v1/batches":
            return self._list(dict(part.split("=") for part in query.split("&") if part))
        if found := re.fullmatch(r"/v1/batches/batch_(\d+)", path):
            return Say(self._look(self.made[int(found[1])]))
        return error(f"no such address: {path}", 404)

    def _keep(self, call: Call) -> Say:
        boundary = re.search(r"boundary=(\S+)", call.headers["content-type"])[1].encode()
        parts = {}
        for part in call.raw.split(b"--" + boundary)[1:-1]:
            head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
            parts[re.search(rb'name="(\w+)"', head)[1].decode()] = (head, content)
        if parts["purpose"][1] != b"batch":
            return error("purpose must be batch")
        self.names.append(re.search(rb'filename="([^"]+)"', parts["file"][0])[1].decode())
        return Say({"object": "file", "id": self._store(parts["file"][1]), "purpose": "batch"})

    def _store(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def _make(self, call: Call) -> Say:
        asked = call.body
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert asked["completion_window"] == "24h" and asked["endpoint"] == "/v1/chat/completions"
        assert all(line["method"] == "POST" and line["url"] == asked["endpoint"] for line in lines)
        assert len({line["custom_id"] for line in lines}) == len(lines) <= 50_000
        record = {
            "id": f"batch_{len(self.made)}", "object": "batch", "created_at": int(time.time()), "status": "validating",
            "output_file_id": None, "error_file_id": None, "errors": None, **asked,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }  # fmt: skip
        self.made.append(Made(record, lines))
        return Say(record)

    def _list(self, query: dict[str, str]) -> Say:
        newest = [self._look(made, counts=False) for made in reversed(self.made)]
        if "after" in query:
            ids = [record["id"] for record in newest]
            newest = newest[ids.index(query["after"]) + 1 :]
        return Say({"object": "list", "data": newest[: self.page], "has_more": len(newest) > self.page})

    def _look(self, made: Made, counts: bool = True) -> dict[str, Any]:
        fate = self.fate(self.made.index(made))
        made.looks += counts
        if made.record["status"] in ("validating", "in_progress"):
            if made.looks >= fate.looks:
                self._end(made, fate)
            elif made.looks:
                made.record["status"] = "in_progress"
        return made.record

    def _end(self, made: Made, fate: Fate) -> None:
        made.record["status"] = fate.status
        if fate.status == "failed":
            made.record["errors"] = {"object": "list", "data": list(fate.errors)}
            return
        good, bad = [], []
        # Answers come in any order.
        for place, line in reversed(list(enumerate(made.lines))):
            record = {"id": f"batch_req_{place}", "custom_id": line["custom_id"], "response": None, "error": None}
            if fate.answered is not None and place >= fate.answered:
                said = "This request could not be executed before the completion window expired."
                bad.append({**record, "error": {"code": "batch_expired", "message": said}})
                continue
            status, body = self.respond(line)
            record["response"] = {"status_code": status, "request_id": "r", "body": body}
            (good if status == 200 else bad).append(record)
        for name, records in (("output_file_id", good), ("error_file_id", bad)):
            if records:
                text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
                made.record[name] = self._store(text.encode())
