"""The simple clauses of a parsed sentence.

Participial tails, parentheses, asides and relative clauses behind a comma are split off (Heilman and Smith, 2010,
"Good Question! Statistical Ranking for Question Generation", section 2.1), and coordinated verbs get a clause each.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Clause
from byheart.expansion.question_generation.dependents import (
    CONNECTIVES,
    is_joined_clause,
    merged,
    own_subject,
    part_of,
    parts_of,
)
from byheart.expansion.question_generation.wording import SUBJECTS, after_comma, text_of, tidy

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

PERSONAL = ("it", "they", "he", "she")
_REPORTING = frozenset("believe estimate know report say accept".split())
_SAYING = frozenset(
    "argue claim suggest believe think say state indicate show find estimate report note propose conclude maintain hold "
    "assert contend explain observe reveal demonstrate confirm announce".split()
)

_NAMING = ("call", "know", "name", "title", "dub", "entitle")
_SUPPOSING = frozenset("think believe estimate say know report suppose expect find claim assume allege".split())
_BESIDE = frozenset("as while whilst because since although though whereas".split())  # open clauses that state a fact


def find_clauses(doc: "Doc") -> list[Clause]:
    """The clauses of a sentence that can be asked about, the main ones first; none where the parse cannot be right."""
    found: list[Clause] = []
    if any(_is_impossible(verb) for verb in doc):
        return found
    for verb in _heads(doc):
        clause = _clause(verb)
        if clause is not None:
            found.append(_placed(clause))
    for verb in doc:
        clause = _said(verb) or _beside(verb) or _there(verb)
        if clause is not None and all(clause.verb != other.verb for other in found):
            found.append(clause)
    return found


def _placed(clause: Clause) -> Clause:
    """ "In 1900, it is believed, the ...": what stands before the belief belongs to what is believed."""
    verb = clause.verb
    if verb.dep_ != "ccomp" or verb.head.lemma_ not in _REPORTING:
        return clause
    front = [child for child in verb.head.children if child.dep_ == "prep" and child.i == child.doc[0].i]
    parts = [part for child in front if (part := part_of(child, fronted=True)) is not None]
    return replace(clause, parts=(*parts, *clause.parts))


def _antecedent(verb: "Token") -> "Token":
    """The noun that a relative clause means: in "a ballot of the members, which is secret" the verb agrees with the ballot."""
    noun = verb.head
    above = noun.head.head if noun.dep_ == "pobj" and noun.head.lower_ == "of" else None
    singular = verb.tag_ == "VBZ" or any(c.tag_ == "VBZ" for c in verb.children if c.dep_ in ("aux", "auxpass"))
    return above if singular and noun.tag_ == "NNS" and above is not None and above.tag_ == "NN" else noun


def _said(verb: "Token") -> Clause | None:
    """ "Some scientists argue that the forest was reduced ...": what is said, with who says it."""
    teller = own_subject(verb.head)
    if (
        verb.dep_ != "ccomp"
        or verb.head.lemma_ not in _SAYING
        or teller is None
        or teller.tag_ in ("WDT", "WP")
        or verb.head.dep_ not in ("ROOT", "conj", "ccomp")
        or any(child.dep_ == "neg" for child in verb.head.children)
        or any(child.dep_ == "auxpass" for child in verb.head.children)
        or own_subject(verb) is None
    ):
        return None
    clause = _clause(verb)
    return None if clause is None else replace(clause, according=text_of(teller))


def _beside(verb: "Token") -> Clause | None:
    """ "While the hall was being built, ...": a clause beside the main one that states a fact of its own."""
    mark = next((child for child in verb.children if child.dep_ == "mark"), None)
    subject = own_subject(verb)
    stated = verb.dep_ == "advcl" and mark is not None and mark.lower_ in _BESIDE and mark.i == verb.left_edge.i
    if not stated or subject is None or subject.pos_ == "PRON" or verb.head.dep_ not in ("ROOT", "conj"):
        return None
    return _clause(verb)


def _there(verb: "Token") -> Clause | None:
    """ "There have been changes in the forest over 21,000 years": asked about its circumstances."""
    there = next((child for child in verb.children if child.dep_ == "expl" and child.lower_ == "there"), None)
    noun = next((child for child in verb.children if child.dep_ == "attr"), None)
    if verb.lemma_ != "be" or there is None or noun is None or there.i > verb.i:
        return None
    auxiliaries = [child for child in verb.children if child.dep_ == "aux" and child.i < verb.i]
    if not auxiliaries and verb.tag_ not in ("VBZ", "VBP", "VBD"):
        return None
    loose = [child for child in noun.children if child.dep_ == "prep" and child.lower_ not in ("of", "for", "about")]
    clause = _made(verb, verb, noun, "there", there, auxiliaries)
    parts = [
        replace(part, text=text_of(noun, without=loose), inner="") if part.head == noun else part
        for part in clause.parts
    ]
    place = next((index for index, part in enumerate(parts) if part.head == noun), len(parts)) + 1
    parts[place:place] = [part for child in loose if (part := part_of(child, fronted=False)) is not None]
    return replace(clause, parts=tuple(parts))


def _heads(doc: "Doc") -> "Iterator[Token]":
    """The main verbs, those joined to them, and those of relative clauses split off by a comma."""
    for root in (token for token in doc if token.dep_ == "ROOT" and token.pos_ in ("VERB", "AUX")):
        yield root
        yield from _reported(root)
        waiting = [root]
        while waiting:
            for child in waiting.pop().children:
                if (
                    child.dep_ in ("conj", "ccomp")
                    and child.pos_ in ("VERB", "AUX")
                    and (child.dep_ == "conj" or (own_subject(child) is not None and is_joined_clause(child)))
                ):
                    yield child
                    waiting.append(child)
    for token in doc:
        if token.dep_ == "conj" and token.head.dep_ == "ROOT" and token.head.pos_ in ("NOUN", "PROPN"):
            if token.pos_ in ("VERB", "AUX") and own_subject(token) is not None:
                yield token  # "Each licensee and each operator must ...": joined to the first noun by mistake
        elif (
            (token.dep_ in ("relcl", "acl") and token.head.dep_ == "attr")
            or (
                token.dep_ == "acl"
                and token.tag_ == "VBN"
                and after_comma(token)
                and token.head.dep_ in SUBJECTS
                and token.head.head.dep_ == "ROOT"
            )
            or (
                token.dep_ == "acl"
                and token.lemma_ in _NAMING
                and token.head.dep_ in ("dobj", "pobj", "attr", "conj")
                and any(c.dep_ == "oprd" or c.lower_ == "as" for c in token.children)
            )
            or (
                token.dep_ == "relcl"
                and after_comma(token)
                and any(child.dep_ in SUBJECTS and child.tag_ in ("WDT", "WP") for child in token.children)
            )
        ):
            yield token


def _reported(root: "Token") -> "Iterator[Token]":
    """ "It is believed that the basin was split": what is believed is asked about."""
    subject = own_subject(root) or next((c for c in root.children if c.dep_ == "expl"), None)
    if subject is not None and subject.lower_ == "it" and root.lemma_ in _REPORTING:
        for child in root.children:
            if child.dep_ == "ccomp" and own_subject(child) is not None and child.pos_ in ("VERB", "AUX"):
                yield child


def _is_impossible(verb: "Token") -> bool:
    """ "must make the station ... records": a plural noun taken for a verb that is joined to an infinitive."""
    head = verb.head
    lends = verb.dep_ == "conj" and head.tag_ == "VB" and any(c.dep_ == "aux" for c in head.children)
    return lends and verb.tag_ in ("VBZ", "VBD") and own_subject(verb) is None


def _clause(verb: "Token") -> Clause | None:
    subject, lender = own_subject(verb), verb
    if verb.dep_ in ("relcl", "acl") and verb.head.dep_ == "attr":
        return _through_copula(verb)
    if verb.dep_ == "acl":
        return _reduced(verb, verb.head, text_of(verb.head, without=[verb]), past=verb.head.head.tag_ == "VBD")
    while subject is None and lender.dep_ == "conj":
        lender = lender.head
        subject = own_subject(lender)
    if subject is None or subject.i > verb.i or verb.text[:1] in "'’" or _shares_object(verb):
        return None
    if subject.pos_ == "PRON" and subject.lower_ not in PERSONAL and subject.tag_ not in ("WDT", "WP"):
        return None
    if subject.tag_ in ("WDT", "WP"):
        if verb.dep_ != "relcl":
            return None
        subject = _antecedent(verb)
        named = subject.pos_ == "PROPN" or any(c.dep_ == "det" and c.lower_ == "the" for c in subject.children)
        if not named:
            return None
        words = text_of(subject, without=[verb])
    elif verb.lemma_ == "have" and all(child.dep_ not in ("dobj", "ccomp", "xcomp") for child in verb.children):
        return None  # "The chamber has seating arranged in ...": an auxiliary taken for the verb, or half a clause
    else:
        words = text_of(subject)
    if verb.dep_ == "conj" and verb.head.pos_ in ("NOUN", "PROPN"):
        words = tidy(verb.doc[verb.head.left_edge.i : subject.right_edge.i + 1].text)
        words = words[:1].lower() + words[1:] if verb.doc[0].pos_ != "PROPN" else words
    auxiliaries = [child for child in verb.children if child.dep_ in ("aux", "auxpass") and child.i < verb.i]
    borrowed = lender is not verb and not auxiliaries
    if borrowed:
        auxiliaries = [child for child in lender.children if child.dep_ in ("aux", "auxpass") and child.i < lender.i]
        if lender.tag_ in ("VBZ", "VBD", "VBP"):
            auxiliaries = []
        elif verb.tag_ != lender.tag_:
            return None
    if any(aux.tag_ == "TO" for aux in auxiliaries):
        return None
    if not auxiliaries and verb.tag_ not in ("VBZ", "VBP", "VBD"):
        return None
    first = auxiliaries[0].i if auxiliaries else verb.i
    nor = first > 0 and verb.doc[first - 1].lower_ == "nor"
    if lender is verb and subject.i > first and not nor:
        return None  # inverted already
    return _made(verb, lender, subject, words, subject, auxiliaries, nor)


def _made(
    verb: "Token",
    lender: "Token",
    noun: "Token",
    words: str,
    subject: "Token",
    auxiliaries: "list[Token]",
    nor: bool = False,
) -> Clause:
    """`noun` heads the `words` of the subject; `subject` is the token that stands for it beside the verb."""
    denied = nor or any(child.dep_ == "neg" for child in verb.children)
    between = [
        child
        for child in verb.children
        if child.dep_ == "advmod"
        and child.i < verb.i
        and child.lower_ not in CONNECTIVES
        and (subject.i < child.i or verb.dep_ == "acl")
        and child.tag_ != "WRB"
    ]
    particle = " ".join(child.text for child in verb.children if child.dep_ == "prt")
    parts = list(parts_of(verb, subject, lender, {child.i for child in between}))
    supposed = next((child for child in verb.children if child.dep_ == "xcomp" and child.i > verb.i), None)
    if verb.lemma_ in _SUPPOSING and supposed is not None and any(c.tag_ == "TO" for c in supposed.children):
        # "is thought to have come from Asia": what is thought is asked about, in one piece with the thought.
        helpers = [
            c.text for c in supposed.children if c.i < supposed.i and c.dep_ in ("aux", "auxpass", "neg", "advmod")
        ]
        particle = " ".join([*helpers, supposed.text, *(c.text for c in supposed.children if c.dep_ == "prt")])
        others = [part for part in parts if part.head != supposed]
        parts = others + list(
            parts_of(supposed, subject, supposed, {c.i for c in supposed.children if c.i < supposed.i})
        )
    return Clause(
        subject=words,
        noun=noun,
        auxiliaries=tuple(
            {"ca": "can", "wo": "will", "'s": "is", "’s": "is"}.get(a.lower_, a.lower_) for a in auxiliaries
        ),
        negated=denied,
        early=" ".join(text_of(child) for child in between if auxiliaries and child.i < auxiliaries[-1].i),
        late=" ".join(text_of(child) for child in between if not auxiliaries or child.i > auxiliaries[-1].i),
        verb=verb,
        particle=particle,
        parts=tuple(merged(parts)),
    )


def _shares_object(verb: "Token") -> bool:
    """ "can extend or reduce the areas": the object of the second verb is the first one's too, so that it lacks its own."""
    joined = [c for c in verb.children if c.dep_ == "conj" and c.pos_ == "VERB" and own_subject(c) is None]
    near = [c for c in joined if c.i - verb.i <= 3 and any(d.dep_ == "dobj" for d in c.children)]
    return bool(near) and not any(c.dep_ in ("dobj", "prep", "attr", "xcomp") for c in verb.children)


def _through_copula(verb: "Token") -> Clause | None:
    """ "The Amazon is a forest that covers the basin": the forest is the subject, so it covers the basin too."""
    copula = verb.head.head
    subject = own_subject(copula)
    if copula.lemma_ != "be" or subject is None or subject.i > copula.i or copula.dep_ not in ("ROOT", "conj"):
        return None
    if any(child.dep_ == "neg" or child.lower_ in ("if", "no") for child in copula.children):
        return None
    if verb.dep_ == "acl":
        return _reduced(verb, subject, text_of(subject), past=copula.tag_ == "VBD")
    relative = own_subject(verb)
    if relative is None or relative.tag_ not in ("WDT", "WP"):
        return None
    auxiliaries = [child for child in verb.children if child.dep_ in ("aux", "auxpass") and child.i < verb.i]
    if not auxiliaries and verb.tag_ not in ("VBZ", "VBP", "VBD"):
        return None
    modal = next((child for child in copula.children if child.dep_ == "aux"), None)
    return None if modal is not None else _made(verb, verb, subject, text_of(subject), relative, auxiliaries)


def _reduced(verb: "Token", noun: "Token", subject: str, past: bool = False) -> Clause | None:
    """ "The forest, also known as Amazonia, ...": a participle behind its noun, with the verb that it leaves out."""
    named = noun.pos_ in ("PROPN", "PRON") or any(
        c.dep_ == "det" and c.lower_ in ("the", "a", "an") for c in noun.children
    )
    if verb.tag_ != "VBN" or not (named or verb.lemma_ in _NAMING) or verb.i + 1 >= len(verb.doc):
        return None
    plural = noun.tag_ in ("NNS", "NNPS")
    word = ("were" if past else "are") if plural else ("was" if past else "is")
    clause = _made(verb, verb, noun, subject, verb.head, [])
    return replace(clause, auxiliaries=(word,), helped=True)
