"""Mistakes of the parser that can be seen and mended; `readable.py` has the others."""

from typing import TYPE_CHECKING

from byheart.expansion.question_generation.marks import is_mark
from byheart.expansion.question_generation.wording import FINITE, NOUNS, SUBJECTS, VERBS, WORDS, child_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_QUESTIONING = ("ask", "wonder", "know", "check", "see", "tell", "determine", "decide", "test", "doubt")


def mend(doc: "Doc") -> None:
    """Reattaches what hangs on the wrong word, in place."""
    for token in doc:
        _mend_subjects(token)
        _mend_named(token)
        _mend_joined(token)
        _mend_numbers(token)
        _mend_halves(token)
        _mend_late(token)
        _mend_measure(token)
        of_object = token.dep_ == "prep" and token.lower_ == "of" and token.head.dep_ == "dobj"
        if of_object and token.head.head.lemma_ in WORDS["telling_of"]:
            _attach(token, token.head.head, "prep")  # "notify the operators of a sale"
        if token.dep_ == "ccomp" and token.head.lemma_ not in _QUESTIONING:
            mark = child_of(token, "mark")
            if mark is not None and mark.lower_ in ("if", "unless", "because"):
                token.dep_ = "advcl"  # "is allowed if the journey takes ..."
        if token.dep_ == "prt" and token.lower_ == "up" and token.i + 1 < len(doc) and token.nbor().lower_ == "to":
            _attach(token.nbor(), token.head, "prep")  # "supports the rider up to a speed of ..."
            _attach(token, token.nbor(), "quantmod")
        if token.dep_ == "npadvmod" and token.pos_ in NOUNS:
            _mend_list(token)
        lasting = token.dep_ == "prep" and token.lower_ in ("within", "during", "until", "throughout", "since")
        lasting = lasting or (token.lower_ == "between" and any(child.like_num for child in token.children))
        if (
            lasting
            and token.head.dep_ == "dobj"
            and token.head.head.pos_ in VERBS
            and token.right_edge == token.head.right_edge
        ):
            _attach(token, token.head.head, "prep")  # "confirms the request within five days"
        time = child_of(token, "pobj") if token.dep_ == "prep" and token.lower_ == "for" else None
        if time is not None and time.lemma_.lower() in WORDS["times"] and child_of(time, "nummod") is not None:
            place = token.head.head if token.head.dep_ == "pobj" else token
            if place.head.pos_ in VERBS and token.right_edge == place.right_edge:
                _attach(token, place.head, "prep")  # "remain at a point for four hours"
        way = token.dep_ == "prep" and token.lower_ in ("over", "via", "by", "with", "through", "to", "for")
        if way and token.head.dep_ == "npadvmod" and token.head.head.pos_ in VERBS:
            _attach(token, token.head.head, "prep")  # "sends a reading every ten minutes over LoRa"
        if token.dep_ == "dobj" and token.lower_ in ("indoors", "outdoors"):
            token.dep_ = "advmod"
        given = token.head.lemma_ in WORDS["giving"]
        if token.dep_ in ("dobj", "attr") and not given and child_of(token.head, "auxpass") is not None:
            token.dep_ = "npadvmod"  # "are reimbursed up to 15 euros a day": an amount, no object


def _attach(token: "Token", head: "Token", role: str) -> None:
    if token != head and not token.is_ancestor(head):  # a circle would hang every walk through the tree
        token.head, token.dep_ = head, role


def _mend_subjects(verb: "Token") -> None:
    """ "The option --jobs sets": a name behind its noun is no second subject."""
    subjects = [child for child in verb.children if child.dep_ in SUBJECTS and child.i < verb.i]
    if len(subjects) == 2 and subjects[0].right_edge.i + 1 == subjects[1].i == subjects[1].left_edge.i:
        _attach(subjects[1], subjects[0], "appos")


def _mend_named(verb: "Token") -> None:
    """ "The option `--jobs` sets the number": a name behind its noun, taken for the subject of a relative clause."""
    subject, noun = child_of(verb, *SUBJECTS), verb.head
    named = subject is not None and is_mark(subject.text) and subject.i == noun.i + 1
    if subject is not None and named and verb.dep_ == "relcl" and noun.dep_ == "ROOT":
        verb.head, verb.dep_ = verb, "ROOT"
        noun.head, noun.dep_ = verb, subject.dep_
        subject.head, subject.dep_ = noun, "appos"
        for stop in [child for child in noun.children if child.i > verb.i]:
            stop.head = verb


def _mend_joined(token: "Token") -> None:
    """ "at 11 a.m. and 3 p.m.": the second hangs on the verb."""
    if token.dep_ != "conj" or token.head.pos_ not in VERBS or token.pos_ not in (*NOUNS, "NUM"):
        return
    before = token.doc[token.left_edge.i - 1] if token.left_edge.i else token
    if before.dep_ == "cc" and before.head.pos_ in NOUNS:
        _attach(token, before.head, "conj")


def _mend_list(noun: "Token") -> None:
    """ "supports cables, radio and the protocol": the second of a list, taken for an adverb."""
    start = noun.left_edge.i
    joined = child_of(noun, "cc") is not None and child_of(noun, "conj") is not None
    for child in noun.head.children:
        if joined and child.dep_ == "dobj" and child.right_edge.i + 2 == start and noun.doc[start - 1].text == ",":
            _attach(noun, child, "conj")
            return


def _mend_late(verb: "Token") -> None:
    """ "after the railway had been opened": the subject was taken for what "after" governs."""
    helpers = [child for child in verb.children if child.dep_ in ("aux", "auxpass")]
    if verb.dep_ != "advcl" or not helpers or child_of(verb, *SUBJECTS, "mark") is not None:
        return
    for when in verb.head.children:
        noun = child_of(when, "pobj") if when.lower_ in ("after", "before", "until", "since") else None
        if noun is not None and when.right_edge.i + 1 == verb.left_edge.i and helpers[0].tag_ in FINITE:
            _attach(noun, verb, "nsubjpass" if child_of(verb, "auxpass") is not None else "nsubj")
            _attach(when, verb, "mark")


def _mend_measure(adjective: "Token") -> None:
    """ "are 64 KiB long by default": an adjective behind its measure, taken for an adverb of the next phrase."""
    noun = adjective.nbor(-1) if adjective.i else adjective
    measures = noun.dep_ == "attr" and noun.right_edge == noun and child_of(noun, "nummod") is not None
    if adjective.lower_ in WORDS["measuring"] and measures:
        _attach(adjective, noun.head, "acomp")
        _attach(noun, adjective, "npadvmod")


def _mend_halves(preposition: "Token") -> None:
    """ "cooperate in selecting channels and in using them": the second half hangs on the verb, not on the first."""
    before = preposition.nbor(-1) if preposition.i else preposition
    verb = preposition.head
    if preposition.pos_ != "ADP" or preposition.dep_ not in ("prep", "conj") or verb.pos_ not in VERBS:
        return
    if before.dep_ == "cc" and before.head == verb:
        twins = [c for c in verb.children if c.dep_ == "prep" and c.lower_ == preposition.lower_ and c.i < before.i]
        if twins and twins[-1].right_edge.i + 1 == before.i:
            _attach(preposition, twins[-1], "conj")
            _attach(before, twins[-1], "cc")


def _mend_numbers(token: "Token") -> None:
    """ "at 11 a.m.", "on port 7300", "is oiled every 300 kilometres"."""
    before = token.nbor(-1) if token.i else token
    if token.lower_ in ("a.m.", "p.m.") and before.like_num and token.head != before:
        _attach(token, before, "npadvmod")
    if token.tag_ == "CD" and before.tag_ == "NN" and token.dep_ != "nummod" and token.head == before.head.head:
        _attach(token, before, "nummod")
    if token.dep_ == "dobj" and token.left_edge.lower_ in ("every", "each") and token.head.tag_ == "VBN":
        token.dep_ = "npadvmod"
