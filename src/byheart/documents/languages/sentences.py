"""Sentences with exact offsets. English: nupunkt (trained on legal text), with corrections for what it splits wrongly."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise

from byheart.documents.languages.language import ENGLISH, count_words, is_english
from byheart.documents.languages.other_languages import split_sentences
from byheart.documents.structure.formulas import mask

Span = tuple[int, int]

# No prose: nupunkt's time grows with the square of such a run. The last sign stays: it may end a sentence.
UNBROKEN = re.compile(r"(?<!\S)\S{300,}(?=\S)")
STOPS = re.compile(r"(?:[.!?…]\s*){100,}(?=[.!?…])")
# nupunkt breaks after `"Bistro.` in `"Bistro.", she said` and inside `[source?][source?]`.
CONTINUES = re.compile(r"""[a-zß-öø-ÿ,;:.!?…)\]}”’»]|["'](?:[\s,;:.)\]]|$)""")
CJK_END = re.compile(r"(?<=[。！？])(?![。！？”’」』）])")
# nupunkt takes "kg." and "cent." for abbreviations, and the "V." of "400 V. The fan turns" for an initial, as in "50 W. Main Street".
UNIT_END = re.compile(
    r"(?<=\d)\s?(?:(?:[kcm]m|[km]g|ml|[kMG]?Hz|k?Wh|kW|kV|per\s?cent)\.(?=\s+[A-Z][a-z])|(?:[VWAmgLl]|°[CF]|ft|in|min)\.(?=\s+(?:The|An?|Its?|This|"
    r"These|They|There|You|We|Each|Every|All|No|Do|If|When|In|On|At|For|After|Before)\s))"
    r"|(?<=\d)\s?[ap]\.m\.(?=\s+(?!Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|June|July|Aug|Sep|Oct|Nov|Dec|Eastern|Central|"
    r"Mountain|Pacific|Atlantic|Alaska|Hawaii|Greenwich|Coordinated|Local|Standard|Daylight)[A-Z][a-z])"
)
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|being|am|has|have|had|do|does|did|will|would|shall|should|must|may|might|can|cannot|"
    r"could|needs?|means?|includes?|refers|contains|consists|applies|requires|allows|becomes|became)\b",
    re.IGNORECASE,
)
# A term does not open with these, though an item that completes its lead-in may: "By a CW emission."
OPENER = re.compile(
    r"\W*(?:by|in|on|at|for|from|to|with|without|when|where|while|if|unless|until|after|before|during|under|over|through|"
    r"as|because|since|and|or|but|not|who|which|that|whose|it|he|she|they|we|you|this|these|there)\b"
    r"|\W*the\s+(?:\S+\s+){3}",
    re.IGNORECASE,
)
ALONE = re.compile(r"(?:Xx{2,}[\s.,;:]*)+")  # formulas only, masked
WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")


@cache
def segmenter() -> Callable[[str], Iterable[Span]]:
    import nupunkt

    nupunkt.sent_spans("Loads the model. Once.")
    split: Callable[[str], Iterable[Span]] = nupunkt.sent_spans
    return split


def sentences(text: str, start: int, end: int, language: str = ENGLISH) -> list[Span]:
    """The spans of the sentences of `text[start:end]`, trimmed, in order, with nothing but blanks between them."""
    # The same length, so offsets hold: a line break inside a paragraph is only a blank.
    prose = mask(text[start:end]).replace("\n", " ")
    if not is_english(language):
        own = (trim(text, start + first, start + last) for first, last in split_sentences(prose, language))
        return join_formulas_alone(text, [(a, b) for a, b in own if a < b])
    spans: list[list[int]] = []
    for first, last in segmenter()(without_runs(prose)):
        if spans and (not prose[first - 1].isspace() or CONTINUES.match(prose, first)):
            spans[-1][1] = last
        else:
            spans.append([first, last])
    found = []
    for first, last in spans:
        ends = [match.end() for end in (CJK_END, UNIT_END) for match in end.finditer(prose, first, last)]
        cuts = [first, *sorted(end for end in ends if end < last), last]
        found += [trim(text, start + a, start + b) for a, b in pairwise(cuts)]
    return join_formulas_alone(text, [(a, b) for a, b in found if a < b])


def without_runs(prose: str) -> str:
    """The same length, with letters in place of runs of signs or letters that no sentence has."""
    if len(prose) < 200:
        return prose
    return STOPS.sub(lambda run: "x" * len(run[0]), UNBROKEN.sub(lambda run: "x" * len(run[0]), prose))


def join_formulas_alone(text: str, spans: list[Span]) -> list[Span]:
    """The sentences, where one that is only a formula belongs to the sentence before it."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and text[start] in "$\\" and ALONE.fullmatch(mask(text[start:end])):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def statements(text: str, start: int, end: int, item: bool, language: str = ENGLISH) -> list[Span]:
    """Sentences, but in a list item a term or run-in heading ("Space station.") stays with what it introduces."""
    spans = sentences(text, start, end, language)
    if item and len(spans) > 1 and is_term(text[slice(*spans[0])], language):
        spans[:2] = [(spans[0][0], spans[1][1])]
    return spans


def is_term(sentence: str, language: str = ENGLISH) -> bool:
    """Whether a sentence is only a name for what follows: short, and without a verb."""
    if not is_english(language):  # whose verbs are not known here
        return 0 < count_words(sentence) <= 2
    short = 0 < len(WORD.findall(sentence)) <= 8 and sentence.rstrip("*_ ").endswith((".", ":"))
    return short and not OPENER.match(sentence) and not VERB.search(sentence)


def trim(text: str, start: int, end: int) -> Span:
    """The span without the blanks at both ends."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
