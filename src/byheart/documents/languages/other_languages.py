"""Sentences of every language but English: sentencex (rules of Wikimedia for 300 languages), with a few corrections."""

import re
from itertools import accumulate, pairwise

Span = tuple[int, int]

# What ends no sentence though sentencex says so: a title or one letter before a name ("M. Dupont", "د. أحمد"), but
# no unit ("8 h."); an abbreviation before a number; a rank ("der 2. Vorsitzende", where only German has a capital).
TITLE = re.compile(
    r"(?<!\w)(?:mm|mmes?|mlles?|mgr|me|dott|ing|arch|avv|sig|sigra|profa?|dra?|dipl|hr|fr|fa|gebr|dhr|mevr|mw|drs|sra?|srta|sta?|ste|inż"
    r"|d\.?ª|ts|ths|pgs|д-р|проф|г-н|г-жа|ул|им|акад|д|кв|डॉ|श्री|श्रीमती|पं|c\.-à-d|p\. ?ex|inkl|exkl|zzgl|evtl|sog|insb|gem|pck|msp|tp"
    r"|(?:dr|prof|dipl)\.(?: ?(?-i:[a-zäöü]{3,5}|h\. ?c)\.){0,2} ?(?-i:[a-zäöü]{3,5}|h\. ?c))\.$",
    re.I,
)
INDONESIAN = re.compile(
    r"(?<!\w)(?:bpk|mis|sdri?|jl|drg|ir|a\.? ?n|u\.? ?p)\.$", re.I
)  # "mis." ends sentences of French
INITIAL = re.compile(
    r"(?<![\w\u064b-\u0652-])(?<!\d\s)(?<!, [A-Z]\.)[A-ZÀ-ÖØ-ÞА-ЯЁء-ي]\.$"
)  # no last letter behind a vowel sign
BEFORE_NUMBER = re.compile(
    r"(?<![\w-])(?:arts?|abs|nrs?|n|no|n[uú]ms?|pp?|p[aá]gs?|sez|sec|sect|cap|kap|bd|vol|t|fig|abb|tab|ziff|rn|inc|par|al|ca|ust|odst|lit|satz|st"
    r"|cf|vgl|tel|s[eé]cs?|ст|пп?|гл|стр|с|рис|табл|тел|ок|прим|№|hlm|tgl)\.$",
    re.I,
)
RANK = re.compile(
    r"(?<!\w)(?:de[rnms]|die|das|am|im|beim|zu[mr]|vom|bis|ab|seit|jede[rsnm]?|eine?[rsnm]?|und|oder)\s\d{1,2}\.$", re.I
)
DAY = re.compile(r"(?<![\w.,])\d{1,2}\.$")
MONTH = re.compile(r"(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")  # "3. Feb."
DANDA = re.compile("[।॥۔]")  # where sentences end with these, "." only abbreviates
QUOTED = re.compile("[とをがはもにの、,，]|って|という")  # 「…。」と言った: a quotation inside its sentence
# Ends that sentencex does not see: behind a unit ("41,5 km. El club", "1908 г. Он"), and before a number ("。1956年").
UNSEEN = re.compile(
    r"(?:\d\s?(?:[kcm]?m|[km]?g|[mc]?l|h|гг?|вв?|ч|[кс]?м|мм|к?г|руб|коп|тыс|млн|чел)|(?:кв|куб)\.\s?[кс]?м|т\.\s?[дп])\.(?=\s+[«„¿¡\"]?[A-ZÀ-ÖØ-ÞА-ЯЁ])"
    r"|\d\s?[كسم]?[مغ]\.(?=\s+[ء-ي])|[。！？](?=\s?[\dA-Za-z])"
)
PIECE = 8000  # characters that sentencex reads at once
LAST = 80  # characters before a possible end that are looked at
SAYS = re.compile(r"[—–-]\s*[^\W\d_]")  # "— Qui est là ? — demanda-t-il." is one sentence
TOLD = re.compile(r"[^，。！？；：“”]{0,12}[说說道问問答喊叫写寫][了着道]?[，。！]")  # “……！”王大姐说。
ROMAN = re.compile(r"[IVXLC]+(?!\w)")


def split_sentences(prose: str, language: str) -> list[Span]:
    """The spans of the sentences, each with the blanks behind it: together they are the whole text."""
    from sentencex import segment

    # In pieces: sentencex takes minutes for a paragraph of 300 kB that is full of quotations.
    pieces = [prose[a:b] for a, b in pairwise([*piece_starts(prose), len(prose)])]
    ends = list(accumulate(len(sentence) for piece in pieces for sentence in segment(language, piece)))
    cuts = sorted({0, *ends, *(match.end() for match in UNSEEN.finditer(prose))})
    dotted = bool(DANDA.search(prose))
    spans: list[Span] = []
    for start, end in pairwise(cuts):
        if spans and goes_on(ending(prose, spans[-1]), prose[start:end].lstrip(), language, dotted):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def piece_starts(prose: str) -> list[int]:
    """Where pieces of at most `PIECE` characters begin: behind a full stop, else a blank, else anywhere."""
    starts = [0]
    while len(prose) - starts[-1] > PIECE:
        first, last = starts[-1] + PIECE // 2, starts[-1] + PIECE
        cut = max((prose.rfind(sign, first, last) + len(sign) for sign in (". ", "。", "। ", "۔ ")), default=0)
        if cut <= first:
            cut = prose.rfind(" ", first, last) + 1
        starts.append(cut if cut > first else last)
    return starts


def ending(prose: str, span: Span) -> str:
    """The first letter of a sentence and its last words: all that decides. The whole, again and again, would take minutes
    where much is joined."""
    start, end = span
    return prose[start] + prose[max(start + 1, end - LAST) : end].rstrip()


def goes_on(before: str, after: str, language: str, dotted: bool) -> bool:
    """Whether `after` is still the sentence of `before`. `dotted`: in this text "." ends no sentence."""
    first = after[:1]
    if not first or first.islower() or first in ",;:.!?…)]}”’»。！？、，；：）」』":
        return True
    if (said := SAYS.match(after)) and said[0][-1].islower():
        return True
    if language == "ja" and before.endswith(("」", "』")):
        return bool(QUOTED.match(after))
    if before.endswith(("”", "」", "』")):
        return before[0] in "“「『" and bool(TOLD.match(after))
    if not before.endswith("."):
        return False
    number = (first.isdigit() or ROMAN.match(after)) and BEFORE_NUMBER.search(before)
    rank = language == "de" and first.isalpha() and (RANK.search(before) or (DAY.search(before) and MONTH.match(after)))
    title = INDONESIAN if language in ("id", "ms") else TITLE
    return bool(dotted or number or rank or title.search(before) or TITLE.search(before) or INITIAL.search(before))
