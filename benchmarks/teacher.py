"""The live teacher against one local server: throughput beside an open-loop load generator, CPU beside the bare client.

    python benchmarks/teacher.py [--requests 1500] [--cpu-requests 10000] [--runs 3] [--rival sdk=PYTHON ...]

Throughput: the server has 16 slots (benchmarks/service.py); the generator keeps more raw connections busy than there are
slots, which is all that the server can give. CPU: the server answers at once; user and system time of the client's
process alone, ours (store, retries, counts) against the official client sending the same through as many workers.
A rival is another tool in an environment of its own, whose python is given: sdk (synthetic-data-kit), distilabel (with
`requests`), curator (bespokelabs-curator); see benchmarks/rivals.py. It is measured in the same run, after each of ours.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from service import running

SIDES = ("ours", "client", "generator")
WORKERS = 32
TEXT = "The licensee must appoint a control operator before the station transmits. " * 20


def users(count: int) -> list[str]:
    return [f"{TEXT}\nQuestion {number}?" for number in range(count)]


def ours(url: str, count: int) -> None:
    from byheart.teacher.base import Reply, Request
    from byheart.teacher.openai import OpenAI

    with tempfile.TemporaryDirectory() as place:
        os.environ["BYHEART_CACHE"] = place
        asked = [Request("You write.", user, 0.6, 300) for user in users(count)]
        outcomes = OpenAI("m", url, concurrency=WORKERS).ask(asked)
    assert all(isinstance(outcome, Reply) for outcome in outcomes)


def body(user: str) -> dict:
    turns = [{"role": "system", "content": "You write."}, {"role": "user", "content": user}]
    return {"model": "m", "messages": turns, "max_tokens": 300, "temperature": 0.6}


def client(url: str, count: int) -> None:
    from openai import AsyncOpenAI

    async def run() -> None:
        waiting = iter(users(count))
        async with AsyncOpenAI(api_key="none", base_url=url, max_retries=9) as speaker:

            async def work() -> None:
                for user in waiting:
                    await speaker.chat.completions.create(**body(user))

            await asyncio.gather(*(work() for _ in range(WORKERS)))

    asyncio.run(run())


def generator(url: str, count: int) -> None:
    address = urlsplit(url)
    waiting = iter(users(count))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for user in waiting:
            raw = json.dumps(body(user)).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(raw)}\r\n\r\n".encode()
            status = b""
            while status != b"200":
                writer.write(head + raw)
                said = await reader.readuntil(b"\r\n\r\n")
                status = said[9:12]
                length = next(int(line[15:]) for line in said.split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(length)
        writer.close()

    async def run() -> None:
        await asyncio.gather(*(work() for _ in range(4 * WORKERS)))

    asyncio.run(run())


def timed(side: str, count: int, **service) -> tuple[float, float]:
    """(seconds, seconds of CPU) of one side in a process of its own, imports not counted."""
    with running(**service) as url:
        command = [sys.executable, __file__, "--side", side, "--url", url, "--requests", str(count)]
        wall, cpu = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return wall, cpu


def rivalled(name: str, python: str, count: int) -> tuple[float, float]:
    """The same of another tool, which must have answered them all."""
    with running() as url:
        command = [python, str(Path(__file__).with_name("rivals.py")), name, url, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, cpu, good = json.loads(done.stdout.splitlines()[-1])
    if good != count:
        print(f"  {name} answered {good} of {count}")
    return wall, cpu


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one_side(side: str, url: str, count: int) -> None:
    import openai.resources.chat  # noqa: F401

    import byheart.teacher.openai  # noqa: F401

    began, before = time.monotonic(), spent()
    globals()[side](url, count)
    print(json.dumps([time.monotonic() - began, spent() - before]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--cpu-requests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--url")
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=PYTHON")
    said = parser.parse_args()
    if said.side:
        return one_side(said.side, said.url, said.requests)
    rivals = dict(rival.split("=", 1) for rival in said.rival)
    walls = {side: [] for side in ("ours", "generator", *rivals)}
    used = {side: [] for side in walls}
    for _ in range(said.runs):
        for side in walls:
            wall, cpu = rivalled(side, rivals[side], said.requests) if side in rivals else timed(side, said.requests)
            walls[side].append(wall)
            used[side].append(cpu)
    rates = {side: said.requests / statistics.median(seconds) for side, seconds in walls.items()}
    each = [g / o for o, g in zip(walls["ours"], walls["generator"], strict=True)]
    print(
        f"throughput, ours / open loop: {rates['ours'] / rates['generator']:.3f}  (runs {', '.join(f'{x:.3f}' for x in each)})"
    )
    print(f"  {rates['ours']:.1f} and {rates['generator']:.1f} requests a second, {said.requests} requests, 16 slots")
    for name in ("ours", *rivals):
        share = rates[name] / rates["generator"]
        each = 1000 * statistics.median(used[name]) / said.requests
        print(
            f"  {name:<10} {rates[name]:>6.1f} requests a second, {share:.2f} of the generator's; CPU {each:.1f} ms a request"
        )
    if not said.cpu_requests:
        return None
    cpu = {side: timed(side, said.cpu_requests, speed=0.0, trouble=0.0)[1] for side in ("client", "ours")}
    print(f"client CPU, ours / bare client: {cpu['ours'] / cpu['client']:.2f}")
    print(f"  {cpu['ours']:.1f} s and {cpu['client']:.1f} s for {said.cpu_requests:,} requests")
    return None


if __name__ == "__main__":
    main()
