"""What the Hugging Face hub says of a model: whether it is there, its config.json, and what a download would be."""

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 4.0  # of each of the two requests: a check is to stay quick
MOST_BYTES = 20_000_000  # of an answer; a model of thousands of files takes 2 MB


@dataclass(frozen=True)
class HubModel:
    """`unreached`: why the hub did not answer; "" where it did. `what` and `fix`: why the model cannot be had."""

    unreached: str = ""
    what: str = ""
    fix: str = ""
    config: dict[str, Any] = field(default_factory=dict)  # config.json; empty where it is not known
    parameters: int | None = None
    bytes: int | None = None  # of what `from_pretrained` downloads


@lru_cache(maxsize=32)
def ask_hub(hub_id: str, revision: str | None = None) -> HubModel:
    """Asked once in each process: a sweep asks for each of its variants. Neither torch nor transformers is loaded."""
    import httpx2
    from huggingface_hub import ModelInfo, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import validate_repo_id

    login = "run `hf auth login`, or set HF_TOKEN"
    search = f"{constants.ENDPOINT}/models?search={hub_id.partition('/')[2]}"
    absent = HubModel(
        what="there is no such folder, and the hub has no such model",
        fix=f"check the spelling: {search}; if it is private, {login}",
    )
    found = None
    try:
        validate_repo_id(hub_id)
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        found = ModelInfo(**_get(f"{constants.ENDPOINT}/api/models/{hub_id}{at}?blobs=True").json())
        config = _get(f"{constants.ENDPOINT}/{hub_id}/resolve/{revision or 'main'}/config.json").json()
        files = {each.rfilename: int(each.size or 0) for each in found.siblings or ()}
        total = found.safetensors.total if found.safetensors else None
        total = total if isinstance(total, int) else None
        return HubModel(config=config if isinstance(config, dict) else {}, parameters=total, bytes=_download(files))
    except GatedRepoError:
        return HubModel(what="its licence must be accepted on the hub first", fix=f"open {_page(hub_id)}, then {login}")
    except RevisionNotFoundError:
        return HubModel(what=f"the hub has no revision {revision} of this model", fix=f"see {_page(hub_id)}/commits")
    except (RepositoryNotFoundError, HFValidationError):
        return absent
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status == 404 and found is None:
            return absent
        if status == 404:
            fix = "choose a model with config.json, for transformers"
            return HubModel(what="this model on the hub has no config.json", fix=fix)
        if status in (401, 403):
            return HubModel(what="the hub does not let you read this model", fix=f"open {_page(hub_id)}, then {login}")
        return HubModel(unreached=f"it answered with error {status}")
    except (httpx2.TimeoutException, TimeoutError):
        return HubModel(unreached=f"no answer in {TIMEOUT_S:g} s")
    except Exception as error:  # what answers is not the hub, and may say anything
        return HubModel(unreached="no connection" if isinstance(error, httpx2.ConnectError) else type(error).__name__)


def _get(address: str) -> "httpx2.Response":
    """The answer, as far as MOST_BYTES and TIMEOUT_S reach. Uncompressed: a small body could grow to any size."""
    import httpx2
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    until, body = time.monotonic() + TIMEOUT_S, bytearray()
    headers = {**build_hf_headers(), "accept-encoding": "identity"}
    with get_session().stream("GET", address, headers=headers, timeout=TIMEOUT_S, follow_redirects=True) as answer:
        for piece in answer.iter_raw():
            body += piece
            if len(body) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES:,} bytes")
            if time.monotonic() > until:
                raise TimeoutError
    kept = {name: value for name, value in answer.headers.items() if name.startswith("x-")}
    whole = httpx2.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)
    hf_raise_for_status(whole)
    return whole


def _page(hub_id: str) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{hub_id}"


def _download(files: dict[str, int]) -> int | None:
    """safetensors where there are any, else pickles; of files in folders below none is read."""
    top = {name: size for name, size in files.items() if "/" not in name}
    for kind in (".safetensors", ".bin"):
        weights = sum(size for name, size in top.items() if name.endswith(kind) and not name.startswith("consolidated"))
        if weights:
            small = (size for name, size in top.items() if name.endswith((".json", ".txt", ".model", ".jinja")))
            return weights + sum(small)
    return None
