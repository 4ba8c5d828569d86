"""The words of a phrase as a question repeats them, their inflection, and the lists of words in `lexicon.toml`."""

import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

NAMES = "names"  # the key of a document's `user_data` that holds what `find_names` found
KNOWN = "dictionary"  # the words that the lemmatizer lists, by part of speech
LEXICON = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text(encoding="utf-8"))
WORDS: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in LEXICON["words"].items()}
SUBJECTS = ("nsubj", "nsubjpass")
MODALS = ("may", "shall", "can", "must")
FINITE = ("VBZ", "VBP", "VBD")
RELATIVE = ("WDT", "WP")  # tags of "which", "that", "who"
PLURAL = ("NNS", "NNPS")
NOUNS = ("NOUN", "PROPN")
VERBS = ("VERB", "AUX")
_AGREE = {"are": "is", "were": "was", "have": "has", "do": "does"}
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_SENTENCE_END = re.compile(r"(?<=[a-z\)][.!?])\s+(?=[A-Z“\"])")
_TITLE_END = re.compile(r"\b(?:Mrs?|Ms|Dr|Prof|St|Rev|Capt|Col|Gen|Lt|Sgt|Hon|Sen|Gov|Mt|vs)\.\Z")
# Endings of nouns that are hardly ever names.
_COMMON = ("ing", "tion", "tions", "ment", "ments", "sion", "sions", "ance", "ence", "ity", "ness")


def child_of(token: "Token", *roles: str) -> "Token | None":
    """The first dependent with one of these dependency labels."""
    return next((child for child in token.children if child.dep_ in roles), None)


def text_of(token: "Token", without: "Sequence[Token]" = (), headless: bool = False) -> str:
    """The words of a phrase, without parentheses, appositions and clauses behind a comma; `headless` leaves out `token`."""
    omitted = [*without, *(inside for inside in token.subtree if inside != token and splits_off(inside))]
    dropped = {t.i for other in omitted for t in other.subtree}
    kept, depth = [], 0
    for t in token.subtree:
        depth += t.text in ("(", "[")
        if depth == 0 and t.i not in dropped and not (headless and t == token):
            kept.append(t)
        depth -= t.text in (")", "]") and depth > 0
    pairs = zip(kept, [*kept[1:], *kept[-1:]], strict=True)
    text = tidy("".join(t.text + _gap(t, after) for t, after in pairs))
    if kept and kept[-1].i + 1 >= len(token.doc) and len(text) > 1 and kept[-1].text not in ("a.m.", "p.m."):
        text = text.rstrip(".")  # "100 W." at the end of a sentence is one token
    first = kept[0] if kept else token
    if (first.i == 0 and not is_name(first) and first.text[1:].islower()) or first.lower_ in ("a", "the"):
        text = text[:1].lower() + text[1:]
    if token.dep_ in SUBJECTS:
        text = re.sub(r"^(?:this|these)\s+(?=[a-z-]+\b(?!\s+(?:is|are|was|were)\b))", "the ", text)
    return text


def _gap(token: "Token", after: "Token") -> str:
    """What stands between two words that are kept: a comma that hangs on another word belongs there."""
    between = token.doc[token.i + 1 : after.i]
    comma = "," if len(between) == 1 and between[0].text == "," else ""
    return comma + " " * bool(comma or token.whitespace_ or after.i > token.i + 1)


def is_name(first: "Token") -> bool:
    """Is the first word of a sentence a name? Told by how the document writes it elsewhere, where it does."""
    known = first.doc.user_data.get(NAMES)
    if known is None or not first.text[:1].isupper():
        return bool(first.pos_ == "PROPN")
    common = {first.lower_, first.lower_.removesuffix("s")} & known[1]
    behind = first.nbor() if first.i + 1 < len(first.doc) else None
    if behind is not None and first.dep_ == "compound" and first.head.pos_ == "PROPN" and behind.text in known[0]:
        return True  # "Lake Orra", though the text also says "the lake"
    if first.text in known[0] and first.text not in known[2] and _is_dictionary_noun(first):
        return False  # "Herring was", though the text also says "the Herring Days"
    if first.text in known[0] or common:
        return first.text in known[0] and not (common and first.pos_ != "PROPN")
    many = first.tag_ == "NNPS" and first.dep_ in SUBJECTS and first.left_edge == first  # "Leeks give ..."
    if many or (first.dep_ == "compound" and first.head.pos_ == "NOUN" and first.ent_type_ == "PERSON"):
        return False  # "Bush varieties"
    joined = behind is not None and behind.pos_ == "PROPN" and first.head in (behind, behind.head)
    if first.tag_ in ("NNPS", "NNS", "NNP") and first.dep_ in SUBJECTS and first.left_edge == first == first.right_edge:
        verbs = [first.head, *(c for c in first.head.children if c.dep_ in ("aux", "auxpass"))]
        if first.lower_.endswith("s") and any(verb.tag_ == "VBZ" and verb.i > 0 for verb in verbs):
            return True  # "Windows is supported"
    if not joined and (first.dep_ == "compound" or first.lower_.endswith("s")) and _is_dictionary_noun(first):
        return False  # "Brake pads are ..."
    kinds = ("PERSON", "GPE", "LOC", "ORG", "FAC", "PRODUCT", "NORP")
    return first.pos_ == "PROPN" and (joined or first.dep_ == "compound" or first.ent_type_ in kinds)


def _is_dictionary_noun(word: "Token") -> bool:
    """Is it in the list of nouns that the lemmatizer comes with?"""
    known = word.doc.user_data.get(KNOWN, {}).get("noun", frozenset())
    return not known.isdisjoint((word.lower_, word.lower_.removesuffix("s"), word.lower_.removesuffix("es")))


def find_names(docs: "Sequence[Doc]") -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Words with a capital inside a sentence, words without one, and of the first those that stand alone."""
    inside = [t for doc in docs for t in doc if t.is_alpha and (t.i > 0 or t.text.islower())]
    return (
        frozenset(t.text for t in inside if t.text[:1].isupper()),
        frozenset(t.text for t in inside if t.text.islower()),
        frozenset(t.text for t in inside if t.text[:1].isupper() and not _has_capital_beside(t)),
    )


def _has_capital_beside(word: "Token") -> bool:
    beside = [word.doc[at] for at in (word.i - 1, word.i + 1) if 0 < at < len(word.doc)]
    return any(other.text[:1].isupper() for other in beside)


def splits_off(token: "Token") -> bool:
    """Does it stand behind a comma and add only a remark to its noun?"""
    if not after_comma(token):
        return False
    if token.lower_ in ("provided", "providing", "assuming", "supposing"):
        return False  # a condition
    if token.dep_ in ("acl", "advcl") and token.tag_ in ("VBG", "VBN"):
        markers = [child for child in token.children if child.dep_ in ("mark", "advmod")]
        return all(child.lower_ not in WORDS["conditions"] for child in markers)
    if token.dep_ == "appos" and token.head.dep_ != "attr":
        return all(child.dep_ not in ("conj", "cc") for child in (*token.subtree, *token.head.children))
    return token.dep_ == "relcl" or (token.dep_ == "prep" and token.lower_ in ("except", "including", "such"))


def after_comma(token: "Token") -> bool:
    start = token.left_edge.i
    return start > 0 and token.doc[start - 1].text in (",", "(", "–", "—")


def tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([,;.])", r"\1", text)
    text = re.sub(r"(?:[,;:–—]\s*)+([,;])", r"\1", text)
    text = re.sub(r"[,;]?\s+(?:and|or|but)$", "", text.rstrip(" ,;"))
    return text.strip(" ,;:–—")


def sentences_of(text: str) -> list[str]:
    """The sentences inside a fact that joins several (a term with its definition). Abbreviations do not end one."""
    ends = _SENTENCE_END.finditer(text := text.strip())
    cuts = [
        0,
        *(end.end() for end in ends if not _TITLE_END.search(text, max(0, end.start() - 6), end.start())),
        len(text),
    ]
    return [part for a, b in pairwise(cuts) if (part := text[a:b].strip())]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def full_stop(text: str) -> str:
    """The text as a sentence: a capital and one full stop."""
    return f"{capital(tidy(text)).rstrip('.')}."


def small(text: str) -> str:
    """The text with its first letter in lower case, unless its first word is a name, an acronym or "I"."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    if first == "I" or first[1:] != first[1:].lower():
        return text
    # Only its place gave the word its capital: known for function words and some endings.
    lowered = first.lower().rstrip(",.;:'’")
    common = re.split(r"['’]", lowered)[0] in WORDS["function"] or lowered.endswith(_COMMON)
    return text[:1].lower() + text[1:] if common else text


def stands_in(words: str, text: str) -> bool:
    """Whether the words stand in the text as whole words. (A regular expression for each answer takes longer to compile
    than all else that is done with it.)"""
    at = text.find(words)
    while at >= 0:
        end = at + len(words)
        if not (_in_word(text[at - 1 : at]) or _in_word(text[end : end + 1])):
            return True
        at = text.find(words, at + 1)
    return False


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def without_article(phrase: str) -> str:
    return re.sub(r"^(?:the|a|an|its|their)\s+", "", phrase)


def lemma_of(verb: "Token") -> str:
    return str(LEXICON["lemmas"].get(verb.lemma_, verb.lemma_))


def past(participle: str) -> str:
    """The past tense of a participle, "" where it is not known: "held" gives "held", "written" gives "wrote"."""
    return participle if participle.endswith("ed") else str(LEXICON["past"].get(participle, ""))


def agree(word: str, tag: str) -> str:
    """The verb behind "who" or "what", which are singular: "are" gives "is", "occur" gives "occurs"."""
    if word.lower() in _AGREE:
        return _AGREE[word.lower()]
    return third_person(word) if tag == "VBP" else word


def third_person(verb: str) -> str:
    return _with_s(verb, (*_SIBILANTS, "o"))


def plural(noun: str) -> str:
    """The plural of the last word: "amateur station" gives "amateur stations"."""
    head, _, last = noun.rpartition(" ")
    return f"{head} {LEXICON['plurals'].get(last.lower()) or _with_s(last, _SIBILANTS)}".strip()


def _with_s(word: str, sibilants: tuple[str, ...]) -> str:
    lowered = word.lower()
    if lowered.endswith(sibilants):
        return f"{word}es"
    if lowered.endswith("y") and lowered[-2:-1] not in ("a", "e", "i", "o", "u"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def singular(noun: str) -> str:
    """The singular of a regular plural: "ways" gives "way"."""
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def article(noun: str) -> str:
    """ "a" or "an" by the first letter, which is right for all but a few words."""
    lowered = noun.lower()
    vowel = lowered[:1] in "aeiou" and not lowered.startswith(("one", "uni", "use", "eu"))
    return "an" if vowel or lowered.startswith(("hour", "honest", "honor", "heir")) else "a"


def with_article(term: str) -> str:
    """A term as the subject of a sentence: "a space station", but "broadcasting", "third party communications"."""
    uncounted = term[:1].isupper() or re.search(r"^\S*(?:ing|tion|ment|ity|ness|ence|ance)$", term)
    if uncounted or (term.endswith("s") and not term.endswith("ss")):
        return term
    return f"{article(term)} {term}"
