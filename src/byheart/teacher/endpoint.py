"""An OpenAI-compatible server: its address, key, and the body of a request. Shared by the live and the batch teacher."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from byheart.errors import AT_LEAST_0, AT_LEAST_1, Problem, gather, wrong_numbers
from byheart.store import content_key
from byheart.teacher.base import NO_KEY, Estimate, Request
from byheart.teacher.prices import Prices, usual_prices
from byheart.teacher.session import estimate

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"
OWN_KEY = "OPENAI_API_KEY"
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}
CONNECT_S = 20.0
SPARE_BYTES = 100_000  # of a body beside the tokens of its answer


@dataclass(frozen=True)
class Endpoint:
    """The options of a server. The key is not among them: it is read from the environment when it is sent."""

    model: str  # as the server names it
    base_url: str | None = None  # None: $OPENAI_BASE_URL, else OpenAI's own
    api_key_env: str | None = None  # None: OPENAI_API_KEY, but for OpenAI's own server or $OPENAI_BASE_URL only
    structured: bool = True  # request that the answer follows its JSON schema
    price_in: float | None = None  # of a million input tokens, in any currency
    price_out: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)  # more of the request's body
    server: str | None = None  # used instead of base_url in cache keys
    bytes_per_token: int = 1000  # of a body, at most, for each token asked for; an event of a stream takes some 300
    answers_soon: ClassVar[bool] = True

    def __post_init__(self) -> None:
        gather(self._wrong_values())

    def _wrong_values(self) -> list[Problem]:
        checks = {"price_in": AT_LEAST_0, "price_out": AT_LEAST_0, "bytes_per_token": AT_LEAST_1}
        found = wrong_numbers(self, "teacher", checks)
        if not self.model.strip():
            found.append(Problem("must be set", "teacher.model", fix="teacher.model=NAME, as the server names it"))
        if reserved := {"messages", "model", "n", "stream", "temperature", "max_tokens"} & set(self.extra):
            fix = "remove them: the expansion sets them"
            found.append(Problem("these fields cannot be set here", "teacher.extra", ", ".join(sorted(reserved)), fix))
        return found

    def problems(self) -> Sequence[Problem]:
        """What is wrong with the address and the key's name; needs no network."""
        where, url = "teacher.base_url", urlsplit(self.address)
        try:
            url.port  # noqa: B018
            wrong = url.scheme not in ("http", "https") or not url.hostname
        except ValueError:
            wrong = True
        if wrong:
            fix = "write it like teacher.base_url=http://localhost:8000/v1"
            return [Problem("this is not the address of a server", where, self.address, fix)]
        if url.username or url.password:
            fix = "put the key in an environment variable, and its name in teacher.api_key_env"
            return [Problem("an address must not contain a password", where, "****", fix)]
        found = []
        if self.address.endswith("/completions"):
            found.append(
                Problem("leave /completions out of the address", where, self.address, "it should end with /v1")
            )
        named = self.api_key_env
        if named and not re.fullmatch(r"[A-Za-z_]\w*", named):
            fix = "give the name of an environment variable, like teacher.api_key_env=MY_KEY"
            found.append(Problem("this is not the name of an environment variable", "teacher.api_key_env", "****", fix))
        elif self._key_name and not os.environ.get(self._key_name, "").strip():
            fix = f"export {self._key_name if named is None or named.isupper() else 'NAME'}=... before the command; "
            fix += "or teacher.base_url=http://localhost:8000/v1 for a server of your own"
            found.append(Problem(NO_KEY, "teacher.api_key_env", fix=fix))
        return found

    @property
    def address(self) -> str:
        return (self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/")

    @property
    def title(self) -> str:
        return f"{self.model} at {urlsplit(self.address).netloc}{'' if self.answers_soon else ', in batches'}"

    @property
    def is_local(self) -> bool:
        return (urlsplit(self.address).hostname or "") in LOCAL

    @property
    def _key_name(self) -> str | None:
        # Someone else's server never gets the key that was exported for OpenAI, unless its name is given.
        is_openai = f".{urlsplit(self.address).hostname or ''}".endswith(".openai.com")
        return self.api_key_env or (OWN_KEY if not self.base_url or is_openai else None)

    @property
    def key(self) -> str:
        """The secret, or "none" for servers that need no key."""
        return (os.environ.get(self._key_name or "", "") if self._key_name else "").strip() or "none"

    def most_bytes(self, max_tokens: int) -> int:
        """The longest body for an answer of so many tokens."""
        return SPARE_BYTES + self.bytes_per_token * max_tokens

    @property
    def fingerprint(self) -> str:
        extra = f" with {content_key(self.extra)[:8]}" if self.extra else ""
        return f"{self.model} at {self.server or self.address}{extra}"

    @property
    def prices(self) -> Prices:
        """The user's, else those of the table; requests in batches are cheaper."""
        if self.price_in is not None or self.price_out is not None:
            return Prices(self.price_in, self.price_out)
        return usual_prices(urlsplit(self.address).hostname or "", self.model, batch=not self.answers_soon)

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        """See `Teacher.estimate`."""
        return estimate(self.fingerprint, requests, self.prices)

    def body(self, request: Request, without: frozenset[str]) -> dict[str, Any]:
        """The request as JSON, but for the parts that this server is known to refuse."""
        turns = [("system", request.system), ("user", request.user)] if request.system else [("user", request.user)]
        if "system" in without:
            turns = [("user", "\n\n".join(said for _, said in turns))]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": content} for role, content in turns],
            "max_completion_tokens" if "max_tokens" in without else "max_tokens": request.max_tokens,
        }
        if "temperature" not in without:
            body["temperature"] = request.temperature
        if request.schema is not None and self.structured and "schema" not in without:
            shape = {"name": "answer", "schema": dict(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return {**body, **self.extra}

    def client(self, timeout_s: float, connections: int) -> "AsyncOpenAI":
        """The official client, without its retries, and without a proxy for a server on this machine."""
        import httpx2
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        from byheart.teacher.bounded import bound_body

        timeout = Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
        # The client waits for a free connection under the same timeout: as many as are ever used at once.
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        hooks = {"response": [bound_body]}
        http = DefaultAsyncHttpxClient(timeout=timeout, limits=limits, trust_env=not self.is_local, event_hooks=hooks)
        return AsyncOpenAI(api_key=self.key, base_url=self.address, max_retries=0, timeout=timeout, http_client=http)
