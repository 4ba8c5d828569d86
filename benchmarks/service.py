"""An OpenAI-compatible server with a fixed service model, in a process of its own: parallel slots, prefill and decode rates,
log-normal lengths, one request in a hundred refused with 429 or 500 the first time. What it says depends on the request alone.
"""

import asyncio
import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

PREFILL, DECODE, MEDIAN, SIGMA = 20_000.0, 600.0, 80.0, 0.6  # tokens per second; tokens of an answer


class Service:
    def __init__(self, slots: int, trouble: float, speed: float, pairs: bool, log: str):
        self.free, self.trouble, self.speed, self.pairs = asyncio.Semaphore(slots), trouble, speed, pairs
        self.log = Path(log) if log else None
        self.seen: Counter[str] = Counter()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                status, said = await self.answer(await reader.readexactly(length))
                body = json.dumps(said).encode()
                extra = b"retry-after: 0.05\r\n" if status == 429 else b""
                writer.write(
                    b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s"
                    % (status, extra, len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, raw: bytes) -> tuple[int, dict]:
        name = hashlib.sha256(raw).hexdigest()[:16]
        self.seen[name] += 1
        if self.log:
            with self.log.open("a") as file:
                file.write(name + "\n")
        luck = random.Random(name)
        if luck.random() < self.trouble and self.seen[name] == 1:
            return luck.choice((429, 500)), {"error": {"message": "overloaded"}}
        prompt, written = len(raw) / 4, luck.lognormvariate(0, SIGMA) * MEDIAN
        if self.speed:
            async with self.free:
                await asyncio.sleep((prompt / PREFILL + written / DECODE) / self.speed)
        text = self.text(raw, name)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": int(prompt), "completion_tokens": int(written), "total_tokens": int(prompt + written)}
        return 200, {
            "id": name,
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }

    def text(self, raw: bytes, name: str) -> str:
        if not self.pairs:
            return f"answer {name}"
        from expansion.scripted import well

        asked = json.loads(raw)
        return json.dumps({**json.loads(well(asked["messages"][-1]["content"], asked["temperature"])), "name": name})


@contextmanager
def running(slots=16, trouble=0.01, speed=1.0, pairs=False, log=""):
    """The address of a fresh server."""
    said = json.dumps([slots, trouble, speed, pairs, str(log)])
    process = subprocess.Popen([sys.executable, __file__, said], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


async def _main() -> None:  # the semaphore wants a loop
    await Service(*json.loads(sys.argv[1])).serve()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    asyncio.run(_main())
