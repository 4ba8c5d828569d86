"""A name and what is said of it, asked in both orders: "Who is the glassblower who made the lens?", "Who is Ilse Varga?".

Read off names with a phrase beside them: "Ilse Varga, the glassblower who ...", "Ilse Varga, known far and wide for being
...", "Known for ..., Ilse Varga ...", "Ilse Varga: glassblower", "Ilse Varga is the ...", "The ... is Ilse Varga".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.dependents import own_subject
from byheart.expansion.question_generation.nouns import CLASSES, is_person
from byheart.expansion.question_generation.wording import FINITE, RELATIVE, SUBJECTS, child_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_INSIDE = frozenset(
    "of the de da di del della du la le van von der den bin ibn al el y and-".split()
)  # words inside a name
_AGENT = re.compile(r"(?:er|or|ist|ian|eer|ant|man|woman|ologer|ographer|wright)$")
_MOST_WORDS = 32  # of what is said
_LONG = 6  # words from which an indefinite description tells one from the others
_MARKS = (",", "–", "—")  # around an aside
_FAME_TAGS = ("VBN", "VBD", "JJ")


@dataclass(frozen=True)
class Identity:
    """`name` and `what` is said of it, a phrase about a noun; `fame` are the words between, where the sentence has them:
    "known far and wide for being". `given` is what stands behind them ("discovering the mermaid"), `what` is then empty
    where it is no noun."""

    name: str
    what: str
    be: str = "is"
    who: str = "who"
    fame: str = ""
    given: str = ""
    deed: str = ""  # of a description with "who": "discovered the mermaid"
    name_first: bool = True  # False: "The mayor is Ann Berg", of which the mayor is the subject

    @property
    def definite(self) -> str:
        """What is said, with the article that makes it one: "the glassblower" of "a glassblower"."""
        bare = re.sub(r"^an?\s+", "", self.what)
        fixed = re.match(r"(?:the|his|her|its|their|this|one of)\b|\S+['’]s?\s", bare)
        return bare if fixed else f"the {bare}"

    @property
    def tells(self) -> bool:
        """Whether it is said of one only, as far as its words tell: "the mayor", "a dye that fades in sunlight"."""
        indefinite = re.match(r"(?:an?|one of)\s", self.what)
        return bool(self.what) and (not indefinite or bool(re.search(r"\b(?:who|that|which|whose)\b", self.what)))


def find_identities(doc: "Doc") -> list[Identity]:
    """Those of one parsed sentence; none where it holds several, or no name that a phrase describes."""
    ends = any(t.text in (".", "!") and t.whitespace_ and t.nbor().text[:1].isupper() for t in doc[:-1])
    if ends or any(token.text in ("?", ";") for token in doc) or len(doc) < 4:
        return []
    ways = (_behind_name(doc), _before_name(doc), _before_apposed(doc), _through_copula(doc))
    return [one for way in ways for one in way if _is_sound(one)][:2]


def _is_sound(one: Identity) -> bool:
    said = one.what or one.given
    marks = all(said.count(a) == said.count(b) for a, b in ("()", "“”", "[]")) and said.count('"') % 2 == 0
    words = said.split()
    return (
        marks
        and 2 <= len(words) <= _MOST_WORDS
        and one.name.casefold() not in said.casefold()
        and not re.search(r"\b(?:he|she|they|it|this|these|those|i|we|you|my|our|your)\b", said, re.I)
    )


def _behind_name(doc: "Doc") -> Iterator[Identity]:
    """ "NAME, known for being D.", "NAME, D, died in 1911.", "NAME: D.", "NAME was famous for D." """
    end = _name_end(doc, 0)
    if end is None or end + 1 >= len(doc):
        return
    name, root = doc[:end], _root(doc)
    mark = doc[end].text
    if root is not None and mark in _MARKS and (subject := own_subject(root)) is not None and subject.i < end:
        last = max((t.i for t in doc[end : root.i] if t.text == mark), default=end)
        if last > end and _is_aside(doc, end + 1, last):
            yield from _described(name, doc[end + 1 : last], "was" if root.tag_ == "VBD" else "is", apposed=True)
    elif root is None and (mark == "," or (mark in (":", *_MARKS) and end > 1)):
        phrase = _stripped(doc, end + 1)
        # "The Silver Heron, also known as the marsh ghost, nests only ...": a verb that was taken for a noun
        if all(t.text != "," or t.nbor().tag_ not in ("NNS", "VBZ", "VBP", "VBD") for t in phrase[:-1]):
            yield from _described(name, phrase, "is", apposed=True)
    elif root is not None and root.tag_ == "VBN" and child_of(root, "auxpass") is not None and root.i >= end:
        auxiliary = child_of(root, "auxpass")
        if (
            auxiliary is not None
            and auxiliary.text in ("is", "was")
            and doc[end] == auxiliary
            and own_subject(root) is not None
        ):
            yield from _described(name, _stripped(doc, end + 1), auxiliary.text, apposed=False)


def _before_name(doc: "Doc") -> Iterator[Identity]:
    """ "Known for being D, NAME now lives ...", "Founder of the choir, NAME taught ..." """
    root = _root(doc)
    subject = own_subject(root) if root is not None else None
    if root is None or subject is None or subject.i > root.i:
        return
    start = subject.left_edge.i
    if start < 3 or doc[start - 1].text != "," or _name_end(doc, start) != subject.i + 1:
        return
    phrase, name = doc[: start - 1], doc[start : subject.i + 1]
    serving = phrase[0].lower_ == "as" and phrase[1].lower_ == "the"  # "As the founder of the school, NAME taught ..."
    role = serving or (
        phrase[0].tag_ in ("NN", "NNP") and len(phrase) > 2 and phrase[1].lower_ == "of" and _is_role(phrase[0])
    )
    phrase = phrase[1:] if serving else phrase
    if role or phrase[0].tag_ in (*_FAME_TAGS, "RB", "RBS"):
        yield from _described(name, phrase, "was" if root.tag_ == "VBD" else "is", apposed=role)


def _before_apposed(doc: "Doc") -> Iterator[Identity]:
    """ "The inventor of the lantern, NAME, sold his patent." """
    root = _root(doc)
    subject = own_subject(root) if root is not None else None
    name = (
        next((c for c in subject.children if c.dep_ == "appos" and c.i > subject.i), None)
        if subject is not None
        else None
    )
    if root is None or subject is None or name is None or doc[0].lower_ != "the" or subject.left_edge.i != 0:
        return
    start = name.left_edge.i
    end = _name_end(doc, start)
    if (
        subject.pos_ == "NOUN"
        and start > 1
        and doc[start - 1].text == ","
        and end == name.i + 1
        and doc[end].text == ","
    ):
        yield from _described(doc[start:end], doc[: start - 1], "was" if root.tag_ == "VBD" else "is", apposed=True)


def _through_copula(doc: "Doc") -> Iterator[Identity]:
    """ "NAME is the D.", "The D is NAME.", "The D is called NAME.", the last also where the parse of D is lost."""
    called = next((t.i for t in doc if t.lower_ in ("called", "named") and t.i > 2), None)
    if called is not None and doc[0].lower_ == "the" and doc[called - 1].text in ("is", "was"):
        end = _name_end(doc, called + 1) if called + 1 < len(doc) else None
        said = doc[: called - 1]
        relative = doc[called - 2].tag_ in ("WP", "WDT") or doc[called - 2].lower_ == "that"
        if end is not None and end == _stripped(doc, called).end and not relative and (noun := _noun(said)) is not None:
            name, what = doc[called + 1 : end], _words(said)
            who = _who(noun, name, what)
            yield Identity(name.text, what, doc[called - 1].text, who, deed=_deed(said), name_first=False)
        return
    root = _root(doc)
    subject = own_subject(root) if root is not None else None
    if root is None or subject is None or subject.left_edge.i != 0 or child_of(root, "neg") is not None:
        return
    be = root
    if be.text not in ("is", "was") or be.i != subject.right_edge.i + 1 or child_of(root, "aux") is not None:
        return
    behind = _stripped(doc, root.i + 1)
    if not len(behind):
        return
    start = behind.start
    if _name_end(doc, 0) == be.i:
        if behind[0].lower_ in ("the", "a", "an"):
            yield from _described(doc[: be.i], behind, be.text, apposed=True, copula=True)
    elif (
        (end := _name_end(doc, start)) is not None
        and doc[0].lower_ == "the"
        and (end == behind.end or doc[end].text == ",")
    ):
        name, what = doc[start:end], _words(doc[: be.i])
        who = _who(subject, name, what)
        yield Identity(name.text, what, be.text, who, deed=_deed(doc[: be.i]), name_first=False)


def _described(name: "Span", phrase: "Span", be: str, apposed: bool, copula: bool = False) -> Iterator[Identity]:
    """What a phrase says of a name: a participle or adjective with "for" or "as", or with `apposed` a noun."""
    first = next((token for token in phrase if token.pos_ != "ADV"), None)
    if first is None or first.i - phrase.start > 3:
        return
    at = next((t.i for t in phrase[first.i - phrase.start + 1 :][:5] if t.lower_ in ("for", "as")), None)
    if first.tag_ in _FAME_TAGS and at is not None and not any(t.text in (",", ".") for t in phrase.doc[first.i : at]):
        being = at + 1 < phrase.end and phrase.doc[at + 1].lower_ == "being"
        rest = phrase.doc[at + 1 + being : phrase.end]
        if not len(rest):
            return
        is_noun = (being or phrase.doc[at].lower_ == "as" or rest[0].lower_ in ("a", "an")) and _opens_noun(rest[0])
        noun = _noun(rest) if is_noun else None
        what = _words(rest) if noun is not None else ""
        fame = _words(phrase.doc[phrase.start : at + 1])
        who = _who(noun if noun is not None else name[-1], name, what)
        be = be if who == "who" else "is"  # a spice is one still
        yield Identity(name.text, what, be, who, fame, f"{'being ' * being}{_words(rest)}", _deed(rest) if what else "")
    elif apposed and _opens_noun(phrase[0]) and (noun := _head(phrase)) is not None:
        what, who = re.sub(r"^the name of ", "", _words(phrase)), _who(noun, name, phrase.text)
        yield Identity(name.text, what, be if who == "who" or copula else "is", who, deed=_deed(phrase))


def _head(phrase: "Span") -> "Token | None":
    """The noun that a phrase is about; None where it is a clause, a date or a place beside a name ("Paris, France")."""
    noun = _noun(phrase)
    clause = any(t.tag_ in (*FINITE, "MD") and _is_main(t, phrase) for t in phrase)
    named = all(t.text[:1].isupper() or t.lower_ in _INSIDE for t in phrase if t.is_alpha)
    if noun is None or noun.pos_ != "NOUN" or clause or named or noun.ent_type_ in ("DATE", "TIME", "CARDINAL"):
        return None
    return noun


def _noun(phrase: "Span") -> "Token | None":
    """The last noun before what stands behind it: "explorer" of "the deep-sea explorer who ..."."""
    found = None
    for token in phrase:
        if (token.pos_ in ("ADP", "SCONJ", "PART", "PUNCT") and token.text not in ("-", '"')) or token.tag_ in (
            "WP",
            "WDT",
        ):
            break
        found = token if token.pos_ in ("NOUN", "PROPN") else found
    return found


def _deed(phrase: "Span") -> str:
    """What stands behind "who" as its predicate: "Who discovered the mermaid?" asks of the same."""
    at = next((t.i for t in phrase if t.tag_ in RELATIVE and t.dep_ in SUBJECTS and t.i + 1 < phrase.end), None)
    return "" if at is None else str(phrase.doc[at + 1 : phrase.end].text)


def _is_main(verb: "Token", phrase: "Span") -> bool:
    """Whether a finite verb is not that of a relative clause inside the phrase."""
    above = [verb, *verb.ancestors]
    inside = [token for token in above if phrase.start <= token.i < phrase.end]
    return all(token.dep_ not in ("relcl", "acl", "ccomp", "advcl", "pcomp", "csubj") for token in inside)


def _is_aside(doc: "Doc", start: int, end: int) -> bool:
    """Whether the words between two commas belong to the name, not to the verb ("On Monday", "however")."""
    root = doc[start:end].root
    return root.dep_ in ("appos", "acl", "amod", "relcl", "conj", "dep") or root.head.i < start


def _opens_noun(token: "Token") -> bool:
    return token.lower_ in ("the", "a", "an", "one", "first") or (
        token.pos_ in ("NOUN", "ADJ") and token.tag_ not in ("NNS", "JJS")
    )


def _is_role(noun: "Token") -> bool:
    return is_person(noun) or bool(_AGENT.search(noun.lower_))


def _who(noun: "Token", name: "Span", what: str) -> str:
    person = _is_role(noun) or re.search(r"\bwho\b", what)
    if person and noun.lemma_.lower() not in CLASSES:
        return "who"
    if name[0].text.endswith("."):
        return "who"  # "Dr. Amara Nwosu"
    words = [token for token in name if token.is_alpha]
    full = len(words) > 1 and len(words) == len(name) and name[0].lower_ != "the" and name[-1].lower_ not in CLASSES
    if full and any(token.ent_type_ == "PERSON" for token in name):
        return "who" if not what else "who or what"
    return "who or what" if full and any(token.ent_type_ == "PERSON" for token in name) else "what"


def _root(doc: "Doc") -> "Token | None":
    """The last main verb with tense; None where the sentence has none."""
    found = [t for t in doc if t.dep_ == "ROOT" and t.pos_ in ("VERB", "AUX") and own_subject(t) is not None]
    tensed = [t for t in found if t.tag_ in FINITE or child_of(t, "aux", "auxpass") is not None]
    return tensed[-1] if tensed else None


def _name_end(doc: "Doc", start: int) -> int | None:
    """Where the name ends that begins at a token; None where none does."""
    end = last = start + (doc[start].lower_ == "the")
    while end < len(doc):
        token = doc[end]
        if (
            token.text[:1].isupper()
            or (end > start and token.text in ("'s", "’s", "-") and not token.whitespace_)
            or (token.text[:1].isdigit() and end > start)
        ):
            last = end = end + 1
        elif end > start and token.lower_ in _INSIDE and end + 1 < len(doc):
            end += 1
        else:
            break
    words = doc[start:last]
    if not len(words) or len(words) > 7 or not any(token.pos_ == "PROPN" for token in words):
        return None
    alone = len([token for token in words if token.is_alpha]) == 1
    return None if alone and start == 0 and (words[-1].pos_ != "PROPN" or words[-1].tag_ == "NNPS") else last


def _stripped(doc: "Doc", start: int) -> "Span":
    """To the end of the sentence, without its full stop."""
    end = len(doc)
    while end > start and doc[end - 1].text in (".", "!"):
        end -= 1
    return doc[start:end]


def _words(phrase: "Span") -> str:
    """A phrase as it stands inside a sentence: a capital that it has from its place only is lowered."""
    text, first = str(phrase.text), phrase[0]
    placed = first.text[1:] == first.text[1:].lower() and first.pos_ != "PROPN"
    return text[:1].lower() + text[1:] if placed else text
