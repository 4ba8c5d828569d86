"""The simple clauses of a parsed sentence.

Participial tails, parentheses, asides and relative clauses behind a comma are split off (Heilman and Smith, 2010,
"Good Question! Statistical Ranking for Question Generation", section 2.1), and coordinated verbs get a clause each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Clause, Part
from byheart.expansion.question_generation.dependents import (
    is_joined_clause,
    join_only,
    merge_times,
    own_subject,
    part_of,
    parts_of,
)
from byheart.expansion.question_generation.nouns import is_person, is_plural
from byheart.expansion.question_generation.readable import is_readable
from byheart.expansion.question_generation.wording import (
    FINITE,
    NOUNS,
    RELATIVE,
    SUBJECTS,
    VERBS,
    WORDS,
    after_comma,
    child_of,
    is_name,
    text_of,
    tidy,
)

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

PERSONAL = ("it", "they", "he", "she")
_CONTRACTIONS = {"ca": "can", "wo": "will", "'s": "is", "’s": "is"}


@dataclass(frozen=True)
class _Subject:
    """The subject in words, its noun, and the token that stands for it beside the verb ("which", "there", the noun)."""

    words: str
    noun: "Token"
    token: "Token"


def find_clauses(doc: "Doc") -> list[Clause]:
    """The clauses of a sentence that can be asked about, the main ones first; none where the parse cannot be right."""
    if not is_readable(doc):
        return []
    found = [_with_front(clause) for verb in _main_verbs(doc) if (clause := _clause(verb))]
    for verb in doc:
        clause = _reported_speech(verb) or _concession(verb) or _existential(verb)
        if clause is not None and all(clause.verb != other.verb for other in found):
            found.append(clause)
    return found


def _main_verbs(doc: "Doc") -> "Iterator[Token]":
    """The main verbs, those joined to them, and those of relative clauses and participles that state a fact."""
    for root in (token for token in doc if token.dep_ == "ROOT" and token.pos_ in VERBS):
        yield root
        yield from _believed(root)
        waiting = [root]
        while waiting:
            for child in waiting.pop().children:
                joined = child.dep_ == "ccomp" and own_subject(child) is not None and is_joined_clause(child)
                if child.pos_ in VERBS and (child.dep_ == "conj" or joined):
                    yield child
                    waiting.append(child)
    for token in doc:
        # "Each licensee and each operator must ...": joined to the first noun by mistake
        joined = token.dep_ == "conj" and token.head.dep_ == "ROOT" and token.head.pos_ in NOUNS
        if _describes(token) or (joined and token.pos_ in VERBS and own_subject(token) is not None):
            yield token


def _believed(root: "Token") -> "Iterator[Token]":
    """ "It is believed that the basin was split": what is believed is asked about."""
    subject = own_subject(root) or child_of(root, "expl")
    if subject is not None and subject.lower_ == "it" and root.lemma_ in WORDS["reporting"]:
        for child in root.children:
            if child.dep_ == "ccomp" and own_subject(child) is not None and child.pos_ in VERBS:
                yield child


def _describes(verb: "Token") -> bool:
    """Does a relative clause or a participle state a fact about its noun, as one behind a comma does?"""
    noun = verb.head
    if verb.dep_ not in ("relcl", "acl") or noun.dep_ == "attr":
        return verb.dep_ in ("relcl", "acl")
    if verb.dep_ == "relcl":
        return after_comma(verb) and any(c.dep_ in SUBJECTS and c.tag_ in RELATIVE for c in verb.children)
    definite = noun.pos_ == "PROPN" or any(c.dep_ == "det" and c.lower_ == "the" for c in noun.children)
    if verb.lemma_ in WORDS["naming"] and definite and noun.dep_ in ("dobj", "pobj", "attr", "conj"):
        return any(child.dep_ == "oprd" or child.lower_ == "as" for child in verb.children)
    return noun.dep_ in SUBJECTS and noun.head.dep_ == "ROOT" and verb.tag_ == "VBN" and after_comma(verb)


def _with_front(clause: Clause) -> Clause:
    """ "In 1900, it is believed, the ...": what stands before the belief belongs to what is believed."""
    verb = clause.verb
    if verb.dep_ != "ccomp" or verb.head.lemma_ not in WORDS["reporting"]:
        return clause
    front = [child for child in verb.head.children if child.dep_ == "prep" and child.i == child.doc[0].i]
    parts = [part for child in front if (part := part_of(child, fronted=True))]
    return replace(clause, parts=(*parts, *clause.parts))


def _reported_speech(verb: "Token") -> Clause | None:
    """ "Some scientists argue that the forest was reduced ...": the reported clause, with its speaker."""
    saying = verb.head
    if verb.dep_ != "ccomp" or saying.lemma_ not in WORDS["saying"] or saying.dep_ not in ("ROOT", "conj", "ccomp"):
        return None
    speaker = own_subject(saying)
    if (
        speaker is None
        or verb.left_edge.i < saying.i
        or speaker.tag_ in RELATIVE
        or child_of(saying, "neg", "auxpass") is not None
    ):
        return None
    clause = _clause(verb) if own_subject(verb) is not None else None
    return None if clause is None else replace(clause, according=text_of(speaker))


def _concession(verb: "Token") -> Clause | None:
    """ "While the hall was being built, ...": a clause beside the main one that states a fact of its own."""
    mark, subject = child_of(verb, "mark"), own_subject(verb)
    if verb.dep_ != "advcl" or mark is None or mark.i != verb.left_edge.i or mark.lower_ not in WORDS["concessive"]:
        return None
    if subject is None or subject.pos_ == "PRON" or verb.head.dep_ not in ("ROOT", "conj"):
        return None
    return _clause(verb)


def _existential(verb: "Token") -> Clause | None:
    """ "There have been changes in the forest over 21,000 years": asked about its circumstances."""
    there = next((child for child in verb.children if child.dep_ == "expl" and child.lower_ == "there"), None)
    noun = child_of(verb, "attr")
    if verb.lemma_ != "be" or there is None or noun is None or there.i > verb.i:
        return None
    auxiliaries = [child for child in _auxiliaries(verb) if child.dep_ == "aux"]
    if not auxiliaries and verb.tag_ not in FINITE:
        return None
    loose = [child for child in noun.children if child.dep_ == "prep" and child.lower_ not in ("of", "for", "about")]
    clause = _build(verb, _Subject("there", noun, there), auxiliaries)
    parts = [
        replace(part, text=text_of(noun, without=loose), inner="") if part.head == noun else part
        for part in clause.parts
    ]
    place = next((index for index, part in enumerate(parts) if part.head == noun), len(parts)) + 1
    parts[place:place] = [part for child in loose if (part := part_of(child, fronted=False))]
    return replace(clause, parts=tuple(parts))


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
    if subject.tag_ in RELATIVE:
        noun = _antecedent(verb)
        if verb.dep_ != "relcl" or noun is None:
            return None
        definite = any(c.dep_ == "det" and c.lower_ == "the" for c in noun.children)
        if not (definite or noun.pos_ == "PROPN"):
            return None
        subject, words = noun, text_of(noun, without=[verb])
    elif subject.pos_ == "PRON" and subject.lower_ not in PERSONAL:
        return None
    elif verb.lemma_ == "have" and child_of(verb, "dobj", "ccomp", "xcomp") is None:
        return None  # "The chamber has seating arranged in ...": an auxiliary taken for the verb, or half a clause
    else:
        words = text_of(subject)
    if verb.dep_ == "conj" and verb.head.pos_ in NOUNS:
        words = tidy(verb.doc[verb.head.left_edge.i : subject.right_edge.i + 1].text)
        words = words[:1].lower() + words[1:] if not is_name(verb.doc[0]) else words
    auxiliaries = _auxiliaries(verb)
    if lender is not verb and not auxiliaries and lender.tag_ not in FINITE:
        if verb.tag_ != lender.tag_:
            return None
        auxiliaries = _auxiliaries(lender)
    denied = lender is not verb and child_of(lender, "neg") is not None and not _auxiliaries(verb)
    if denied and not any(child.dep_ == "cc" and child.lower_ in ("or", "nor") for child in verb.head.children):
        return None  # "must not be opened and kept dry"
    if any(aux.tag_ == "TO" for aux in auxiliaries) or not (auxiliaries or verb.tag_ in FINITE):
        return None
    first = auxiliaries[0].i if auxiliaries else verb.i
    nor = first > 0 and verb.doc[first - 1].lower_ == "nor"
    if lender is verb and subject.i > first and not nor:
        return None  # inverted already
    clause = _build(verb, _Subject(words, subject, subject), auxiliaries, lender)
    if (
        auxiliaries
        and child_of(subject, "relcl", "acl") is not None
        and any(child.dep_ == "advmod" and subject.i < child.i < auxiliaries[0].i for child in verb.children)
    ):
        return None  # "A member who breaks the rules repeatedly can be excluded": repeatedly broken or excluded?
    if lender is verb and verb.dep_ == "conj":
        clause = replace(clause, parts=(*_shared_conditions(verb), *clause.parts))
    return replace(clause, negated=clause.negated or nor or denied)


def _shared_conditions(verb: "Token") -> "Iterator[Part]":
    """ "If a file is broken, it is skipped and the exit code is 2": the condition holds for both."""
    for child in verb.head.children:
        part = part_of(child, fronted=True) if child.dep_ == "advcl" and child.left_edge.i == verb.doc[0].i else None
        if part is not None and part.is_front:
            yield part


def _antecedent(verb: "Token") -> "Token | None":
    """The noun that a relative clause means: in "a ballot of the members, which is secret" the verb agrees with the ballot.
    None where it may be either ("a flora of the desert, which describes ...")."""
    noun = verb.head
    above = noun.head.head if noun.dep_ == "pobj" and noun.head.lower_ == "of" else None
    singular = "VBZ" in (verb.tag_, *(c.tag_ for c in verb.children if c.dep_ in ("aux", "auxpass")))
    if singular and noun.tag_ == "NNS" and above is not None and above.tag_ == "NN":
        return above
    relative = own_subject(verb)
    near = noun.head.head if noun.dep_ == "pobj" and noun.head.dep_ == "prep" else None
    tells = relative is not None and relative.lower_ == "who" and is_person(noun)
    alike = near is not None and near.pos_ in NOUNS and is_plural(near) == is_plural(noun)
    return None if alike and not tells else noun


def _auxiliaries(verb: "Token") -> "list[Token]":
    return [child for child in verb.children if child.dep_ in ("aux", "auxpass") and child.i < verb.i]


def _build(verb: "Token", subject: _Subject, auxiliaries: "list[Token]", lender: "Token | None" = None) -> Clause:
    """The clause of a verb. `lender` is the verb that it is joined to, where the two share a subject."""
    start = -1 if verb.dep_ == "acl" else subject.token.i
    adverbs = [child for child in verb.children if child.dep_ == "advmod" and child.tag_ != "WRB"]
    between = [c for c in adverbs if start < c.i < verb.i and c.lower_ not in WORDS["connectives"]]
    denial = child_of(verb, "neg")
    if denial is not None and denial.lower_ == "never" and start < denial.i < verb.i:
        between = sorted(
            [*between, denial], key=lambda token: token.i
        )  # stays where it is: "What does it never delete?"
    last = auxiliaries[-1].i if auxiliaries else -1
    particle = _particle(verb)
    parts = list(parts_of(verb, subject.token, verb if lender is None else lender, {child.i for child in between}))
    supposed = next((child for child in verb.children if child.dep_ == "xcomp" and child.i > verb.i), None)
    if verb.lemma_ in WORDS["supposing"] and supposed is not None and any(c.tag_ == "TO" for c in supposed.children):
        # "is thought to have come from Asia": the infinitive joins the verb, so that the question asks about both.
        before = [c for c in supposed.children if c.i < supposed.i]
        helpers = [c.text for c in before if c.dep_ in ("aux", "auxpass", "neg", "advmod")]
        particle = " ".join(filter(None, [*helpers, supposed.text, _particle(supposed)]))
        parts = [part for part in parts if part.head != supposed]
        parts += parts_of(supposed, subject.token, supposed, {c.i for c in before})
    return Clause(
        subject=subject.words,
        noun=subject.noun,
        auxiliaries=tuple(_CONTRACTIONS.get(aux.lower_, aux.lower_) for aux in auxiliaries),
        negated=denial is not None and denial not in between,
        early=" ".join(text_of(child) for child in between if child.i < last),
        late=" ".join(text_of(child) for child in between if child.i > last),
        verb=verb,
        particle=particle,
        parts=tuple(join_only(merge_times(parts))),
    )


def _particle(verb: "Token") -> str:
    return " ".join(child.text for child in verb.children if child.dep_ == "prt")


def _shares_object(verb: "Token") -> bool:
    """ "can extend or reduce the areas", "not smoke or eat in the rooms": what the second verb has behind it is the first
    one's too, so that it lacks its own."""
    joined = [c for c in verb.children if c.dep_ == "conj" and c.pos_ == "VERB" and own_subject(c) is None]
    near = any(
        (c.i - verb.i <= 3 and child_of(c, "dobj") is not None)
        or (c.i - verb.i == 2 and child_of(c, "prep") is not None)
        for c in joined
    )
    return near and child_of(verb, "dobj", "prep", "attr", "xcomp") is None


def _through_copula(verb: "Token") -> Clause | None:
    """ "The Amazon is a forest that covers the basin": the forest is the subject, so it covers the basin too."""
    copula = verb.head.head
    subject = own_subject(copula)
    if copula.lemma_ != "be" or subject is None or subject.i > copula.i or copula.dep_ not in ("ROOT", "conj"):
        return None
    if any(child.dep_ == "neg" or child.lower_ in ("if", "no") for child in copula.children):
        return None  # it denies, or only supposes, that the subject is such a thing
    if verb.dep_ == "acl":
        return _reduced(verb, subject, text_of(subject), past=copula.tag_ == "VBD")
    relative, auxiliaries = own_subject(verb), _auxiliaries(verb)
    if relative is None or relative.tag_ not in RELATIVE or not (auxiliaries or verb.tag_ in FINITE):
        return None
    built = _build(verb, _Subject(text_of(subject), subject, relative), auxiliaries)
    return built if child_of(copula, "aux") is None else None


def _reduced(verb: "Token", noun: "Token", subject: str, past: bool) -> Clause | None:
    """ "The forest, also known as Amazonia, ...": a participle behind its noun, with the verb that it leaves out."""
    known = any(c.dep_ == "det" and c.lower_ in ("the", "a", "an") for c in noun.children)
    named = known or noun.pos_ in ("PROPN", "PRON") or verb.lemma_ in WORDS["naming"]
    if verb.tag_ != "VBN" or not named or verb.i + 1 >= len(verb.doc):
        return None
    word = ("were" if past else "are") if is_plural(noun) else ("was" if past else "is")
    clause = _build(verb, _Subject(subject, noun, verb.head), [])
    return replace(clause, auxiliaries=(word,), helped=True)
