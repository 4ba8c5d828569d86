"""Whether a question can be understood alone: it names its subject and refers to no text that the reader cannot see."""

import re
from collections.abc import Sequence

from byheart.expansion.filters.ground import Ground
from byheart.expansion.filters.words import content_stems, stem, words

_TEXTS = r"text|passage|excerpt|document|chunk|snippet|context|author|writer|narrator"
_PARTS = rf"{_TEXTS}|paragraph|article|section|statement|sentence|source|speaker"
_POINTS = re.compile(
    rf"\b(?:the\s+(?:{_TEXTS})|(?:this|that|given|above|following|provided|present|preceding)\s+(?:{_PARTS})|(?:mentioned|described|listed|stated|given|shown|quoted|noted)\s+(?:above|below|here|earlier|in (?:it|fact \d+))"
    rf"|the above|as follows|fact\s+(?:no\.\s*)?\d+|according to (?:it|the facts?))\b(?!\s+of\s+[A-Z0-9§])",
    re.I,
)
# The same in other languages, in the words that can mean nothing else; "Abschnitt 3" and "本文件" name something.
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:(?:im|in diesem|laut|gemäß|nach|aus) (?:dem |diesem |obigen |vorliegenden |folgenden )*(?:text|textauszug|textabschnitt|auszug|passage)"
    r"|oben (?:genannt|erwähnt|beschrieben)\w*"
    r"|(?:dans|selon|d['’]après) (?:le|ce) (?:texte|passage|extrait)|mentionnée?s? ci-dessus"
    r"|(?:en|según) (?:el|este) (?:texto|pasaje|fragmento)|mencionad[oa]s? (?:arriba|anteriormente)"
    r"|(?:no|neste|segundo o|de acordo com o) (?:texto|trecho|excerto)|mencionad[oa]s? acima"
    r"|(?:nel|secondo il|in questo) (?:testo|brano)|(?:in|volgens) (?:de|deze) (?:tekst|passage)"
    r"|(?:в|из|согласно) (?:(?:этом|этого|этому|данном|данного|данному|приведённом|приведенном) )?(?:тексте|текста|тексту|отрывке|отрывка)"
    r"|(?:dalam|menurut|berdasarkan) (?:teks|bacaan|kutipan)|(?:metne|metinde|parçaya) göre)\b"
    r"|(?:上|下|原|该|這段|这段|本段)文|文中|根据(?:文章|文本|材料|段落|上述)|上述|この(?:文章|文|段落)|上記|本文(?:に|で|の|中)|次の文章"
    r"|이 글|본문|위의? 글|(?:في|حسب|بحسب|وفق|وفقا ل|وفقًا ل)\s?(?:هذا )?النص\b|المذكورة? أعلاه"
    r"|(?:इस|उपरोक्त|दिए गए) (?:पाठ|गद्यांश|अनुच्छेद|लेख)|पाठ के अनुसार|(?:এই|উপরের) (?:পাঠ|অনুচ্ছেদ|লেখা)"
    r"|(?:اس|مندرجہ بالا) (?:متن|عبارت|اقتباس)",
    re.I,
)
_PERSONS = frozenset("he she him his her hers himself herself".split())
_THINGS = frozenset("it its itself they them their theirs themselves".split())
_POINTERS = frozenset("this these those".split())
# Words that a pronoun behind them does not refer to.
GENERIC = frozenset(
    stem(word)
    for word in """
    name date year time number amount place location reason purpose role part type kind way result effect cause case
    main first last other following example point thing happen call make give take say state mean become get use need
    term word fact answer question complete sentence fill blank describe explain list tell define identify according
    many much long far old often exactly true false correct person people someone anyone
    """.split()
)


def not_alone(question: str, ground: Ground) -> str:
    """Why the question cannot be understood alone; empty if it can."""
    pointing = _POINTS.search(question) or (None if ground.language == "en" else _POINTS_ELSEWHERE.search(question))
    if pointing and pointing[0].casefold() not in ground.text.casefold():
        return f"“{pointing[0]}” refers to a text that the reader does not see"
    own = [each for each in content_stems(question, ground.language) if each not in GENERIC]
    if not any(each in ground.stems for each in own):
        return "it has no word of the text in it"
    return _dangling(question, ground) if ground.language in ("en", "") else ""


def _dangling(question: str, ground: Ground) -> str:
    """A pronoun before the first word that it could refer to."""
    names = {each.casefold() for each in re.findall(r"(?<=[\s“\"(])[A-Z][\w’'-]+", question)}
    person = thing = False
    found = words(question)
    for place, word in enumerate(found):
        introduced = found[place - 1 : place] in (("a",), ("an",), ("the",), ("each",), ("every",))
        after = found[place + 1] if place + 1 < len(found) else ""
        if word in _PERSONS and not person:
            return f"“{word}” refers to no person named before"
        if word in _THINGS and not thing and not _empty_it(word, found[place + 1 :]):
            return f"“{word}” refers to nothing named before"
        if word in _POINTERS and not thing and after not in ("who", "that", "which", "of"):
            return f"“{word}” refers to nothing named before"
        if word in names:
            person = thing = True
        elif content_stems(word, ground.language) and stem(word) not in GENERIC:
            thing = thing or introduced or stem(word) in ground.stems
            person = person or introduced or stem(word) in ground.stems
    return ""


def _empty_it(word: str, rest: Sequence[str]) -> bool:
    """ "Is it true that ...", "how long does it take to ...": it refers to what follows."""
    return word == "it" and any(each in ("to", "that", "if", "when", "for") for each in rest[1:5])
