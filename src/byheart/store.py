"""Files of plain records, either complete or absent, and done markers that name the inputs of a stage."""

import dataclasses
import errno
import hashlib
import json
import math
import os
import platform
import re
import secrets
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from byheart.damage import go_on, is_trial, refused, run_of, way_out
from byheart.errors import Problem, UserError
from byheart.stable_ids import class_id, dropped_options, is_as_before

Record = TypeVar("Record")

FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is too big"}


def write_jsonl(path: str | Path, records: Iterable[Any]) -> None:
    """One record a line, all of them or none: the old file stays until the new one is complete."""
    _write(Path(path), (_encode(_line(record)) for record in records))


def write_json(path: str | Path, value: Any) -> None:
    """One indented JSON document, whole or not at all; a number that is not finite becomes null."""
    text = json.dumps(_plain(value, finite=True), ensure_ascii=False, indent=2, allow_nan=False)
    _write(Path(path), [_encode(text)])


def write_text(path: str | Path, text: str) -> None:
    """A text file, whole or not at all."""
    _write(Path(path), [_encode(text)])


@contextmanager
def said_if_unwritten(path: str | Path) -> Iterator[None]:
    """A full disk within (ours, or a library's that writes files of its own) becomes a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(_unwritten(Path(path), error)) from error
    except Exception as error:
        # safetensors reports the system's error in words only: "I/O error: No space left on device (os error 28)"
        said = re.search(r"\(os error (\d+)\)", str(error))
        if said is None:
            raise
        number = int(said[1])
        raise UserError(_unwritten(Path(path), OSError(number, os.strerror(number)))) from error


def read_json(path: str | Path) -> Any:
    """What a file of ours has. Raises UserError where it was damaged or cannot be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise refused(path, error) from None


def read_object(path: str | Path) -> dict[str, Any]:
    """The same of a file that holds one JSON object."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise refused(path, "it holds no JSON object")
    return found


def read_jsonl(path: str | Path, record: type[Record]) -> list[Record]:
    """The records of a file written by `write_jsonl`, equal to those that were written (tuples are tuples again)."""
    restore: Callable[[Any], Record] = _restorer(cast(Any, record))
    return list(_read_lines(path, restore, record.__name__))


def read_one(path: str | Path, record: type[Record]) -> Record:
    """The one record of a file that has no other."""
    found = read_jsonl(path, record)
    if len(found) != 1:
        raise refused(path, f"it has {len(found)} records, and should have one")
    return found[0]


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a file whose records have no class of their own, such as answers.jsonl."""
    return list(_read_lines(path, dict, "record"))


def _read_lines(path: str | Path, restore: Callable[[Any], Record], kind: str) -> Iterator[Record]:
    number = 0
    try:
        # newline="\n": the default would also cut at \r, and str.splitlines at U+2028, which texts do contain
        with Path(path).open(encoding="utf-8", newline="\n") as file:
            for line in file:
                number += 1
                yield restore(json.loads(line))
    except UnicodeDecodeError as error:  # of a block that is read ahead, so that its line is not known
        raise refused(path, error) from None
    except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        said = error if isinstance(error, OSError) else f"this line is not a {kind}: {error}"
        raise refused(path, said, number) from None


def mark_done(path: str | Path, key: str) -> None:
    """Marks `path` as finished for the inputs of `key` (see `content_key`). Call it last."""
    _write(_marker(Path(path)), [key.encode()])


def is_done(path: str | Path, key: str) -> bool:
    """Whether `path` was finished for exactly these inputs."""
    path = Path(path)
    try:
        return path.exists() and _marker(path).read_text(encoding="utf-8") == key
    except (OSError, ValueError):  # no marker, or a damaged one
        return False


def content_key(*parts: Any) -> str:
    """32 hex digits, the same for equal dataclasses, numbers, texts and containers in every process."""
    canonical = json.dumps([_plain(part, named=True) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def cache_folder() -> Path:
    """Where teachers' answers and converted models are kept: $BYHEART_CACHE, else the platform's cache folder."""
    if named := os.environ.get("BYHEART_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("byheart", appauthor=False))


def _marker(path: Path) -> Path:
    return path.with_name(f".{path.name}.done")


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    # The temporary file is in the same folder: a rename across file systems is a copy, which can be incomplete.
    mine = f".{path.name}.{platform.node()}-"
    temporary = path.with_name(f"{mine}{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with said_if_unwritten(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_litter(path.parent, mine)
        try:
            with temporary.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sweep_litter(folder: Path, prefix: str) -> None:
    """Removes the temporary files of writers that were killed on this machine."""
    for entry in folder.iterdir():
        if entry.name.startswith(prefix) and entry.name.endswith(".tmp"):
            owner = entry.name.removeprefix(prefix).partition("-")[0]
            if owner.isdigit() and not _alive(int(owner)):
                entry.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if os.name == "nt":
        return True  # os.kill(pid, 0) would end the process there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there, and a rename is journalled
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync folders
            raise
    finally:
        os.close(handle)


def _unwritten(path: Path, error: OSError) -> Problem:
    if path.is_dir() and error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
        return Problem("a folder lies where this file belongs", str(path), fix=way_out(path))
    what = FULL.get(error.errno or 0, f"cannot write: {error.strerror or error}")
    try:
        whole = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    except OSError:
        whole = []
    saved = (
        f"no incomplete file is left; saved before it: {', '.join(whole)}" if whole else "no incomplete file is left"
    )
    run = run_of(path)
    again = f"continue with: {go_on(run)}" if run and not is_trial(run) else "give the same command again"
    room = "make room" if error.errno in FULL else "make the folder writable"
    return Problem(f"{what} ({saved})", where=str(path), fix=f"{room} or choose another folder, then {again}")


def _line(record: Any) -> str:
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":")) + "\n"


def _encode(text: str) -> bytes:
    # A lone surrogate is written as JSON's escape for it (\ud800): UTF-8 has no other form.
    return text.encode("utf-8", "backslashreplace")


def _plain(value: Any, named: bool = False, finite: bool = False) -> Any:
    """What JSON can hold. `named` keeps the class of a dataclass and the kind of a key (1 and "1" differ)."""
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, float):
        return None if finite and not math.isfinite(value) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name), named, finite) for f in dataclasses.fields(value)}
        if not named:
            return fields
        identity = class_id(type(value))
        counted = {name: each for name, each in fields.items() if not is_as_before(identity, name, each)}
        return {"": identity, **counted, **dropped_options(type(value))}
    if isinstance(value, dict):
        if named and any(not isinstance(key, str) for key in value):
            return {
                "": "dict",
                "items": sorted([repr(key), _plain(item, named, finite)] for key, item in value.items()),
            }
        return {str(key): _plain(item, named, finite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, named, finite) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, named, finite) for item in value), key=repr)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):  # a number of numpy or torch
        return _plain(value.item(), named, finite)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


@lru_cache(maxsize=256)
def _restorer(hint: Any) -> Callable[[Any], Any]:
    """A function that turns what JSON read back into the annotated type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        restorers = {field.name: _restorer(hints[field.name]) for field in dataclasses.fields(hint)}
        known = restorers.items()
        return lambda raw: hint(**{**raw, **{name: restore(raw[name]) for name, restore in known if name in raw}})
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            item = _restorer(arguments[0])
            return lambda raw: tuple(item(each) for each in raw)
        items = [_restorer(argument) for argument in arguments]
        return lambda raw: tuple(restore(each) for restore, each in zip(items, raw, strict=True))
    if origin is list:
        item = _restorer(arguments[0])
        return lambda raw: [item(each) for each in raw]
    if origin is dict:
        item = _restorer(arguments[1])
        return lambda raw: {key: item(each) for key, each in raw.items()}
    if origin in (typing.Union, types.UnionType):
        real = [argument for argument in arguments if argument is not type(None)]
        if len(real) == 1:
            item = _restorer(real[0])
            return lambda raw: None if raw is None else item(raw)
    if hint is float:
        return lambda raw: float(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    return lambda raw: raw
