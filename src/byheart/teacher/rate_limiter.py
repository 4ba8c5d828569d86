"""Requests and tokens a minute, kept below a limit by sending them evenly spaced."""

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class RateLimiter:
    """`await turn(tokens)` returns when the next request may be sent; requests are not bunched within a minute."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    _next_request: float = field(default=0.0, init=False)
    _next_tokens: float = field(default=0.0, init=False)

    async def turn(self, tokens: int) -> None:
        now = start = time.monotonic()
        if self.requests_per_minute:
            start = max(start, self._next_request)
            self._next_request = start + 60.0 / self.requests_per_minute
        if self.tokens_per_minute:
            start = max(start, self._next_tokens)
            self._next_tokens = start + 60.0 * tokens / self.tokens_per_minute
        if start > now:
            await asyncio.sleep(start - now)

    def give_back(self, tokens: int) -> None:
        """The answer was shorter by `tokens` than the most that `turn` had reserved for it."""
        if self.tokens_per_minute:
            self._next_tokens -= 60.0 * tokens / self.tokens_per_minute
