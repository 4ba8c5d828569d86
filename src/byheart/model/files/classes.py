"""What the installed transformers knows, read from its source: importing it takes seconds."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path


@cache
def class_names(task: str) -> dict[str, str]:
    """Model type -> class for a task ("CAUSAL_LM"); empty where this transformers keeps its table elsewhere."""
    found = re.search(
        rf"^MODEL_FOR_{task}_MAPPING_NAMES = OrderedDict\(\n(.*?)^\)", _text("modeling_auto"), re.S | re.M
    )
    try:
        return dict(ast.literal_eval(found[1].strip())) if found else {}
    except (ValueError, SyntaxError):
        return {}


def model_types() -> set[str]:
    """All types that a config.json may name, and some words more."""
    return set(re.findall(r'"([\w.-]+)"', _text("auto_mappings") + _text("configuration_auto")))


@cache
def modeling_source(model_type: str) -> str:
    """The source of the classes of a type; "" where it is not found."""
    named = re.search(
        rf'"{re.escape(model_type)}", "(\w+)"\)', _text("auto_mappings").partition("SPECIAL_MODEL_TYPE")[2]
    )
    folder = _root() / "models" / (named[1] if named else model_type.replace("-", "_"))
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("modeling_*.py")))


def renames_weights(model_type: str) -> bool:
    """Whether tensors of this type may have other names in the model than in its files."""
    return f'"{model_type}"' in _read("conversion_mapping.py")


def _text(module: str) -> str:
    return _read(f"models/auto/{module}.py")


@cache
def _read(name: str) -> str:
    file = _root() / name
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def _root() -> Path:
    spec = importlib.util.find_spec("transformers")  # does not import it
    return Path(spec.origin).parent if spec and spec.origin else Path("/nowhere")
