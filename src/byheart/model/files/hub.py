"""What the Hugging Face hub says of a model: whether it is there, its config.json, and what a download would be."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

TIMEOUT_S = 4.0  # of each of the two requests: a check is to stay quick


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
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    login = "run `hf auth login`, or set HF_TOKEN"
    search = f"{constants.ENDPOINT}/models?search={hub_id.partition('/')[2]}"
    absent = HubModel(
        what="there is no such folder, and the hub has no such model",
        fix=f"check the spelling: {search}; if it is private, {login}",
    )
    found = None
    try:
        found = HfApi().model_info(hub_id, revision=revision, timeout=TIMEOUT_S, files_metadata=True)
        at = f"{constants.ENDPOINT}/{hub_id}/resolve/{revision or 'main'}/config.json"
        answer = get_session().get(at, headers=build_hf_headers(), timeout=TIMEOUT_S, follow_redirects=True)
        hf_raise_for_status(answer)
        config = answer.json()
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
    # The last four: what answers is not the hub.
    except (httpx2.HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return HubModel(unreached="no connection" if isinstance(error, httpx2.ConnectError) else type(error).__name__)
    files = {each.rfilename: each.size or 0 for each in found.siblings or ()}
    total = found.safetensors.total if found.safetensors else None
    return HubModel(config=config if isinstance(config, dict) else {}, parameters=total, bytes=_download(files))


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
