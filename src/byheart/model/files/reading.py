"""One file of a model's folder, or the reason why it is not what its name says."""

import json
from pathlib import Path
from typing import Any


class Damaged(ValueError):
    """The message says what is wrong, for a sentence that begins with the file's name; `fix` says what helps."""

    def __init__(self, what: str, fix: str = "copy or download this file again"):
        super().__init__(what)
        self.fix = fix


def refuse_disguised(file: Path) -> None:
    """Raises Damaged for what a broken download leaves under the name of a file."""
    with file.open("rb") as opened:
        head = opened.read(200)
    if not head:
        raise Damaged("is empty (0 bytes)")
    if head.startswith(b"version https://git-lfs"):
        raise Damaged("is a Git LFS pointer, not the file itself", "run `git lfs pull` in this folder")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Damaged("is a web page, not the file itself", "download it again; the site may ask for a login")


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is no such file."""
    if not file.exists():
        return {}
    refuse_disguised(file)
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Damaged(f"is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise Damaged("is not a JSON object")
    return found
