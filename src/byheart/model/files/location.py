"""Where the model lies that `model.path` names: a folder, or a hub id, which may be in the hub's cache on this machine."""

import difflib
import re
from pathlib import Path
from typing import NamedTuple

from byheart.model import embedded

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+", re.A)
OFFER = "name a local folder, a hub id (owner/name), or smollm2_135m"


class Place(NamedTuple):
    """A folder to look into; None for a hub id that this machine does not have. `what` and `fix`: why it is none."""

    folder: Path | None = None
    what: str = ""
    fix: str = ""
    may_lack: bool = False  # a part of a hub model: what is missing will be downloaded


class HubName(NamedTuple):
    id: str
    revision: str | None = None


def hub_name(place: str) -> HubName | None:
    """The hub's name of a model: of a hub id, of a folder in the hub's cache, and of the embedded model; else None."""
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return HubName(place) if HUB_ID.fullmatch(place) else None
    if embedded.find_embedded() and folder.absolute() == embedded.cached_folder().absolute():
        return HubName(embedded.HUB_ID)
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE).absolute()
    found = re.fullmatch(r"models--(.+?)--(.+)/snapshots/([^/]+)", _below(folder.absolute(), home))
    return HubName(f"{found[1]}/{found[2]}", found[3]) if found else None


def _below(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else ""


def locate(path: str, revision: str | None = None) -> Place:
    if not path.strip():
        return Place(None, "no model is named", OFFER)
    folder = Path(path).expanduser()
    try:
        if folder.is_dir():
            return Place(folder)
        if folder.is_file():
            return _a_file(folder)
    except OSError as error:
        return Place(None, f"cannot be read: {error.strerror}", OFFER)
    if HUB_ID.fullmatch(path):  # a folder with a name like it says nothing: models of one owner are named alike
        return _in_cache(path, revision)
    return Place(None, "there is no such model folder", near_folder(path) or _spelt(path))


def _a_file(file: Path) -> Place:
    if file.suffix == ".gguf":
        fix = "GGUF files cannot be trained: name the folder with the *.safetensors they were made from"
        return Place(None, "this is a GGUF file", fix)
    fix = f"name its folder: model.path={file.parent}" if (file.parent / "config.json").is_file() else OFFER
    return Place(None, "this is a file, not a folder", fix)


def near_folder(path: str) -> str:
    """The question whether a model folder beside this one was meant, which has a name like it; "" without one."""
    folder = Path(path).expanduser()
    try:
        beside = {entry.name: entry for entry in folder.parent.iterdir() if (entry / "config.json").is_file()}
    except OSError:
        return ""
    near = difflib.get_close_matches(folder.name, beside, n=1, cutoff=0.7)
    return f"did you mean model.path={beside[near[0]]}?" if near else ""


def _spelt(path: str) -> str:
    """What a path may have meant that is none."""
    hub = re.fullmatch(r"(?:https?://)?(?:huggingface\.co|hf\.co)/([\w-][\w.-]*/[\w.-]+)(?:/.*)?", path, re.A)
    if hub:
        return f"did you mean model.path={hub[1]}?"
    if path.endswith("/") and HUB_ID.fullmatch(path.rstrip("/")):
        return f"did you mean the hub id {path.rstrip('/')}, or a folder that is elsewhere?"
    if difflib.get_close_matches(path.lower(), ["smollm2_135m", "smollm2"], n=1, cutoff=0.6):
        return "did you mean model.path=smollm2_135m?"
    return OFFER


def _in_cache(hub_id: str, revision: str | None) -> Place:
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}"
    reference = home / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision or "main"
    folder = home / "snapshots" / commit
    if (folder / "config.json").exists():
        return Place(folder, may_lack=not constants.HF_HUB_OFFLINE)
    if not constants.HF_HUB_OFFLINE:
        return Place()
    what = "this model is not in the cache of the hub, and HF_HUB_OFFLINE is set"
    return Place(None, what, "download it once with a network, or name a local folder or smollm2_135m")
