"""The weights of a folder: which files they are, whether these are whole, and the shape of each tensor.

A safetensors file begins with its length and a JSON header, so neither torch nor the tensors themselves are read.
"""

import json
import struct
from pathlib import Path

from byheart.model.files.reading import Damaged, read_object, refuse_disguised

Shapes = dict[str, tuple[int, ...]]
WHOLE = ("model.safetensors", "pytorch_model.bin")  # the names that transformers looks for, in its order
INDEX = ".index.json"
LENGTH = 8  # bytes that give the length of the header
DOWNLOAD = "download the folder again, with all files that model.safetensors.index.json names"


def read_weights(folder: Path) -> Shapes:
    """The shape of each tensor; empty where the weights are pickles. Raises Damaged for the first file that is wrong."""
    for name in WHOLE:
        if (folder / name).exists():
            return _shapes(folder / name)
        if (folder / f"{name}{INDEX}").exists():
            return _sharded(folder, f"{name}{INDEX}")
    raise Damaged(*_missing(folder))


def _sharded(folder: Path, index: str) -> Shapes:
    try:
        places = read_object(folder / index).get("weight_map")
    except Damaged as error:
        raise Damaged(f"{index} {error}", error.fix) from None
    if not isinstance(places, dict) or not places:
        raise Damaged(f"{index} names no weights", DOWNLOAD)
    shards = sorted({str(shard) for shard in places.values()})
    absent = [shard for shard in shards if not (folder / shard).exists()]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise Damaged(f"{absent[0]}{more} is missing, of {len(shards)} files that {index} names", DOWNLOAD)
    found = {shard: _shapes(folder / shard) for shard in shards}
    for tensor, shard in places.items():
        if found[shard] and tensor not in found[shard]:
            raise Damaged(f"{shard} does not have {tensor}, which {index} says it has", DOWNLOAD)
    return {name: shape for shapes in found.values() for name, shape in shapes.items()}


def _shapes(file: Path) -> Shapes:
    try:
        refuse_disguised(file)
        return read_header(file) if file.suffix == ".safetensors" else {}
    except Damaged as error:
        raise Damaged(f"{file.name} {error}", error.fix) from None


def read_header(file: Path) -> Shapes:
    """The shape of each tensor of a safetensors file. Raises Damaged where the file is not whole."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(LENGTH)
        length = struct.unpack("<Q", start)[0] if len(start) == LENGTH else size
        if length > size - LENGTH:
            raise Damaged("is cut off, or is no safetensors file")
        try:
            header = json.loads(opened.read(length))
            tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
            shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in tensors.items()}
            ends = [int(tensor["data_offsets"][1]) for tensor in tensors.values()]
        except (ValueError, AttributeError, KeyError, TypeError, IndexError):
            raise Damaged("is no safetensors file: its header cannot be read") from None
    expected = LENGTH + length + max(ends, default=0)
    if size < expected:
        raise Damaged(f"is cut off: it has {size:,} of {expected:,} bytes")
    if size > expected:
        raise Damaged(f"is damaged: it has {size:,} bytes, and its header says {expected:,}")
    return shapes


def _missing(folder: Path) -> tuple[str, str]:
    """Why there are no weights, and what to do."""
    names = sorted(entry.name for entry in folder.iterdir())
    if any(name.startswith("model-") and name.endswith(".safetensors") for name in names):
        return f"model.safetensors{INDEX} is missing, which says what each file of the weights has", DOWNLOAD
    if any(name.endswith(".gguf") for name in names):
        fix = "GGUF files cannot be trained: name the folder with the *.safetensors they were made from"
        return "the weights are a GGUF file", fix
    others = [name for name in names if name.endswith((".safetensors", ".bin", ".pth", ".pt", ".h5", ".msgpack"))]
    if others:
        fix = f"transformers looks for {' or '.join(WHOLE)}: save it with save_pretrained, or rename it"
        return f"no weights under a name that transformers knows; there is {others[0]}", fix
    return "there are no weights", "it needs model.safetensors: download the folder again, whole"
