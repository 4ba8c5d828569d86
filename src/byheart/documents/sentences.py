"""Sentences with exact offsets: nupunkt (trained on legal text), with corrections for what it splits wrongly."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise

Span = tuple[int, int]

# nupunkt breaks after `"Bistro.` in `"Bistro.", she said` and inside `[source?][source?]`.
CONTINUES = re.compile(r"""[a-zß-öø-ÿ,;:.!?…)\]}”’»]|["'](?:[\s,;:.)\]]|$)""")
CJK_END = re.compile(r"(?<=[。！？])(?![。！？”’」』）])")
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|being|am|has|have|had|do|does|did|will|would|shall|should|must|may|might|can|cannot|"
    r"could|needs?|means?|includes?|refers|contains|consists|applies|requires|allows|becomes|became)\b",
    re.IGNORECASE,
)
# A term does not open with these, though an item that completes its lead-in may: "By a CW emission."
OPENER = re.compile(
    r"\W*(?:by|in|on|at|for|from|to|with|without|when|where|while|if|unless|until|after|before|during|under|over|through|"
    r"as|because|since|and|or|but|not|who|which|that|whose)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")


@cache
def segmenter() -> Callable[[str], Iterable[Span]]:
    import nupunkt

    nupunkt.sent_spans("Loads the model. Once.")
    split: Callable[[str], Iterable[Span]] = nupunkt.sent_spans
    return split


def sentences(text: str, start: int, end: int) -> list[Span]:
    """The spans of the sentences of `text[start:end]`, trimmed, in order, with nothing but blanks between them."""
    # The same length, so offsets hold: a line break inside a paragraph is only a blank.
    prose = text[start:end].replace("\n", " ")
    spans: list[list[int]] = []
    for first, last in segmenter()(prose):
        if spans and (not prose[first - 1].isspace() or CONTINUES.match(prose, first)):
            spans[-1][1] = last
        else:
            spans.append([first, last])
    found = []
    for first, last in spans:
        cuts = [first, *(match.start() for match in CJK_END.finditer(prose, first, last) if match.start() < last), last]
        found += [trim(text, start + a, start + b) for a, b in pairwise(cuts)]
    return [(a, b) for a, b in found if a < b]


def statements(text: str, start: int, end: int, item: bool) -> list[Span]:
    """Sentences, but in a list item a term or run-in heading ("Space station.") stays with what it introduces."""
    spans = sentences(text, start, end)
    if item and len(spans) > 1 and is_term(text[slice(*spans[0])]):
        spans[:2] = [(spans[0][0], spans[1][1])]
    return spans


def is_term(sentence: str) -> bool:
    """Whether a sentence is only a name for what follows: short, and without a verb."""
    short = 0 < len(WORD.findall(sentence)) <= 8 and sentence.rstrip("*_ ").endswith((".", ":"))
    return short and not OPENER.match(sentence) and not VERB.search(sentence)


def trim(text: str, start: int, end: int) -> Span:
    """The span without the blanks at both ends."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
