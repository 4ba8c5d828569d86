"""Sentences of every language but English: sentencex (rules of Wikimedia for 300 languages), with a few corrections."""

import re
from itertools import accumulate, pairwise

Span = tuple[int, int]

# What ends no sentence though sentencex says so: a title or one letter before a name ("M. Dupont", "د. أحمد"), but
# no unit ("8 h."); an abbreviation before a number; a rank ("der 2. Vorsitzende", where only German has a capital).
TITLE = re.compile(
    r"(?<!\w)(?:mm|mmes?|mlles?|mgr|me|dott|ing|arch|avv|sig|sigra|profa?|dra?|dipl|hr|fr|fa|gebr|dhr|mevr|mw|drs|sra?|srta|sta?|ste|inż"
    r"|d\.?ª|ts|ths|pgs|д-р|проф|г-н|г-жа|ул|им|акад|डॉ|श्री|श्रीमती|पं)\.$",
    re.I,
)
INITIAL = re.compile(r"(?<![\w-])(?<!\d\s)[A-ZÀ-ÖØ-ÞА-ЯЁء-ي]\.$")
BEFORE_NUMBER = re.compile(
    r"(?<![\w-])(?:arts?|abs|nrs?|n|no|n[uú]ms?|pp?|p[aá]gs?|sez|sec|sect|cap|kap|bd|vol|t|fig|abb|tab|ziff|rn|inc|par|al|ca|ust|odst|lit|satz|st"
    r"|cf|vgl|tel|ст|пп?|гл|стр|рис|табл|№)\.$",
    re.I,
)
RANK = re.compile(
    r"(?<!\w)(?:de[rnms]|die|das|am|im|beim|zu[mr]|vom|bis|ab|seit|jede[rsnm]?|eine?[rsnm]?|und|oder)\s\d{1,2}\.$", re.I
)
DANDA = re.compile("[।॥۔]")  # where sentences end with these, "." only abbreviates
QUOTED = re.compile("[とをがはもにの、,，]|って|という")  # 「…。」と言った: a quotation inside its sentence
# Ends that sentencex does not see: behind a unit ("41,5 km. El club", "1908 г. Он"), and before a number ("。1956年").
UNSEEN = re.compile(
    r"(?:\d\s?(?:[kcm]?m|[km]?g|[mc]?l|h|гг?|вв?|ч|[кс]?м|мм|к?г)|т\.\s?[дп])\.(?=\s+[«„¿¡\"]?[A-ZÀ-ÖØ-ÞА-ЯЁ])|[。！？](?=\s?[\dA-Za-z])"
)


def split_sentences(prose: str, language: str) -> list[Span]:
    """The spans of the sentences, each with the blanks behind it: together they are the whole text."""
    from sentencex import segment

    ends = list(accumulate(map(len, segment(language, prose))))
    cuts = sorted({0, *ends, *(match.end() for match in UNSEEN.finditer(prose))})
    dotted = bool(DANDA.search(prose))
    spans: list[Span] = []
    for start, end in pairwise(cuts):
        if spans and goes_on(prose[slice(*spans[-1])].rstrip(), prose[start:end].lstrip(), language, dotted):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def goes_on(before: str, after: str, language: str, dotted: bool) -> bool:
    """Whether `after` is still the sentence of `before`. `dotted`: in this text "." ends no sentence."""
    first = after[:1]
    if not first or first.islower() or first in ",;:.!?…)]}”’»。！？、，；：）」』":
        return True
    if language == "ja" and before.endswith(("」", "』")):
        return bool(QUOTED.match(after))
    if not before.endswith("."):
        return False
    number = first.isdigit() and BEFORE_NUMBER.search(before)
    rank = language == "de" and first.isalpha() and RANK.search(before)
    return bool(dotted or number or rank or TITLE.search(before) or INITIAL.search(before))
