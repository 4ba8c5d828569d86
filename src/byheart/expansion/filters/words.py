"""Words as the filters compare them, in any script: lower case, without endings, numbers as digits."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from byheart.documents.languages.folding import fold_digits
from byheart.documents.languages.language import MARKS

# Scripts that put no space between words are compared by pairs of letters.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_LETTER = rf"(?!{_UNSPACED.pattern[:-1]})[^\W\d_]"
_LETTERS = rf"(?:{_LETTER})(?:{_LETTER}|[{MARKS}])*"
_ASCII = re.compile(r"\d+(?:[.,:/]\d+)*|[A-Za-z]+(?:'[A-Za-z]+)?")  # the same, several times as fast
_TOKEN = re.compile(rf"\d+(?:[.,:/]\d+)*|{_UNSPACED.pattern}|{_LETTERS}(?:['’]{_LETTERS})?")
_UNWRITTEN = dict.fromkeys([*range(0x064B, 0x0653), 0x0640])
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
NUMBER_WORDS = {word: str(value) for value, word in enumerate(_UNITS.split())}
NUMBER_WORDS |= {
    word: str(10 * place)
    for place, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ors", "ers", "ies", "or", "er", "ed", "es", "ly", "s")
# Words too common to show what a text is about.
_STOPWORDS = {
    "en": "the of and to in a is that for it as was with be by on not are this or from at which an have has had were been will shall may must can would should could do does did if when than then there their they its his her he she what who whom whose how why where all any each no nor but also into about between during under over only other such these those more most some yes you your we our i them him being because so",
    "de": "der die das und in den von zu ist mit sich des im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man was wer wo wann warum ja nein",
    "fr": "le la les de des du et en un une que qui dans est pour par sur pas au aux avec ce il elle sont ne se plus ou son sa ses mais comme être ont été cette ces leur leurs dont où quand quel quelle quels quelles oui non ils elles nous vous",
    "es": "el la los las de del y en un una que es por con no su para al como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante uno ni ese eso qué cuál cuáles quién cuándo dónde cómo son fue ser",
    "it": "il lo la i gli le di del della dei delle e in un una che è per con non si da al alla come più ma nel nella anche se sono suo sua o questo questa dove quando chi cosa quale quali perché sì ha hanno essere dal dalla era",
    "pt": "o a os as de do da dos das e em um uma que é por com não se para no na nos nas ao mais como mas foi seu sua ou quando muito já também só pelo pela até isso entre era depois sem mesmo quem qual quais onde porquê são ser sim",
    "nl": "de het een en van in is dat op te zijn met voor niet aan er om als dan maar door over ook tot uit bij naar heeft hebben wordt worden deze die dit wat wie waar wanneer waarom hoe ja nee of geen zij hij kan moet",
}
_STOPS = {language: frozenset(listed.split()) for language, listed in _STOPWORDS.items()}


def plain(text: str) -> str:
    """Lower case, compatible letters, no marks, one space: what two wordings of the same have in common."""
    return " ".join(_tokens(_compatible(text).casefold()))


def _tokens(text: str) -> list[str]:
    return (_ASCII if text.isascii() else _TOKEN).findall(text)


def _compatible(text: str) -> str:
    """NFKC, digits of any script as 0 to 9, Arabic without vowel signs."""
    return text if text.isascii() else fold_digits(unicodedata.normalize("NFKC", text)).translate(_UNWRITTEN)


@lru_cache(maxsize=1 << 12)  # each filter reads the same question and answer
def words(text: str) -> tuple[str, ...]:
    """Each word folded; numbers as digits without separators of thousands; unspaced scripts as pairs of letters."""
    return tuple(_words(text))


def _words(text: str) -> Iterator[str]:
    for token in _tokens(_compatible(text)):
        if token[0].isdigit():
            yield number(token)
        elif token.isascii():
            folded = token.lower().removesuffix("'s")
            yield NUMBER_WORDS.get(folded, folded)
        elif _UNSPACED.fullmatch(token):
            yield from (token[at : at + 2] for at in range(max(1, len(token) - 1)))
        else:
            folded = token.casefold().replace("’", "'").removesuffix("'s")
            yield NUMBER_WORDS.get(folded, folded)


@lru_cache(maxsize=1 << 12)
def content_stems(text: str, language: str) -> tuple[str, ...]:
    """The stems of the words that carry meaning, numbers included."""
    stops = _STOPS.get(language, frozenset())
    return tuple(stem(word) for word in words(text) if word not in stops and (len(word) > 1 or word.isdigit()))


def numbers(text: str) -> set[str]:
    """Every number of the text in one notation; number words count as digits."""
    return {word for word in words(text) if word[0].isdigit()}


def written_numbers(text: str) -> set[str]:
    """Only the numbers written in digits."""
    return {number(token) for token in _tokens(fold_digits(text)) if token[0].isdigit()}


@lru_cache(maxsize=1 << 14)
def number(token: str) -> str:
    bare = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", token)
    if bare.count(".") > 1:  # 1.000.000
        bare = re.sub(r"\.(?=\d{3}(?!\d))", "", bare)
    return bare.replace(",", ".").lstrip("0") or "0"


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    if word[0].isdigit() or len(word) < 4:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.rstrip("e") if len(word) > 3 else word
