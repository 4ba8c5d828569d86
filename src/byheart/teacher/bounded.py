"""Bodies of responses, read as a stream and up to a limit: a small compressed one can grow to any size."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import httpx2

OTHER_BYTES = 16_000_000  # of what is no answer: an error, a list of batches

_most: ContextVar[int] = ContextVar("most", default=OTHER_BYTES)


class TooLong(Exception):
    """A body was longer than its limit, before or after decompression."""

    def __init__(self, most: int):
        super().__init__(f"its answer is longer than {most:,} bytes; see teacher.bytes_per_token")


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Bodies that are read inside the `with` block end with TooLong behind `count` bytes."""
    token = _most.set(count)
    try:
        yield
    finally:
        _most.reset(token)


class _Counted(httpx2.AsyncByteStream):
    """A stream of bytes that ends with TooLong."""

    def __init__(self, pieces: AsyncIterable[bytes], most: int, close: Callable[[], Awaitable[None]]):
        self.pieces, self.most, self.close = pieces, most, close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self.pieces:
            size += len(piece)
            if size > self.most:
                raise TooLong(self.most)
            yield piece
            await asyncio.sleep(0)  # else a server that is fast enough keeps time-outs and other requests waiting

    async def aclose(self) -> None:
        await self.close()


async def bound_body(response: httpx2.Response) -> None:
    """A hook of the client, called before a body is read: `response` yields it decompressed, and at most so much."""
    # Each layer could multiply the size without giving a byte to count. No server needs a second one.
    if "," in (encoding := response.headers.get("content-encoding", "")):
        raise httpx2.DecodingError(f"its answer is compressed several times ({encoding[:40]})")
    most, received = _most.get(), cast(httpx2.AsyncByteStream, response.stream)
    raw = _Counted(received, most, received.aclose)
    inner = httpx2.Response(response.status_code, headers=response.headers, stream=raw)
    response.stream = _Counted(inner.aiter_bytes(), most, raw.aclose)
    response.headers.pop("content-encoding", None)
    # A charset can name a codec that decompresses, like "bz2". JSON is UTF-8.
    kind = response.headers.get("content-type", "").partition(";")[0]
    response.headers["content-type"] = f"{kind}; charset=utf-8"
