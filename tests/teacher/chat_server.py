"""A real HTTP server on this machine that answers as a script tells it: well, badly, slowly, half or never."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request as it reached the server."""

    number: int  # 0-based, in the order of arrival
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def said(self) -> str:
        """The user's message."""
        return self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Say:
    """What the server does: after `delay_s` it sends `body`, of which `cut` bytes arrive, or nothing ever (`hang`)."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    hang: bool = False


def answer(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion; its tokens are counted as words."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": len(text.split()), "total_tokens": 7 + len(text.split())},
        **more,
    }


def error(message: str, status: int = 400, code: str | None = None, headers: dict[str, str] | None = None) -> Say:
    return Say({"error": {"message": message, "type": "error", "code": code}}, status, headers or {})


def echo(call: Call) -> Say:
    """Answers each prompt with a text of its own, and each temperature with another."""
    return Say(answer(f"{call.said} at {call.body.get('temperature')}"))


class ChatServer:
    """`with ChatServer(script) as server`: `server.url`, `server.calls`, `server.most_at_once`."""

    def __init__(self, script: Callable[[Call], Say] = echo, port: int = 0):
        self.script, self.port = script, port
        self.calls: list[Call] = []
        self.at_once = self.most_at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "ChatServer":
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self.thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self.over.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while call := await self._read(reader):
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    if not await self._say(self.script(call), writer):
                        break
                finally:
                    self.at_once -= 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Call | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = first.split(" ")
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        call = Call(len(self.calls), method, path, headers, raw)
        self.calls.append(call)
        return call

    async def _say(self, say: Say, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection lives on."""
        if say.hang:
            await self.over.wait()
            return False
        if say.delay_s:
            await asyncio.sleep(say.delay_s)
        body = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **say.headers}
        head = f"HTTP/1.1 {say.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(head.encode() + b"\r\n" + body[: say.cut])
        await writer.drain()
        return say.cut is None
