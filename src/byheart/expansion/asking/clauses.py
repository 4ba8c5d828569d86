"""A parsed sentence as simple clauses: a subject, its verbs, and the parts behind them, each with the role it plays.

Participial tails, parentheses, asides and relative clauses behind a comma are split off (Heilman and Smith, 2010,
"Good Question! Statistical Ranking for Question Generation", section 2.1), and coordinated verbs get a clause each.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from byheart.expansion.asking.roles import REASONS, TIME_PREPOSITIONS, is_place, is_time

SUBJECTS = ("nsubj", "nsubjpass")
_CONDITIONS = frozenset("if when whenever unless where while once until before after".split())
_CONNECTIVES = frozenset(
    "however therefore thus hence moreover furthermore also instead consequently meanwhile nevertheless then finally "
    "additionally similarly likewise indeed overall still yet nonetheless further".split()
)
_ROLES = {"dobj": "object", "attr": "complement", "acomp": "quality", "oprd": "complement", "dative": "object"}


@dataclass(frozen=True)
class Part:
    """One phrase that belongs to the verb."""

    role: str  # object complement quality time place agent reason condition manner preposition infinitive that adverb
    text: str  # simplified, as it stands in the sentence
    head: Any  # the token at its heart: the noun of a prepositional phrase
    preposition: str = ""
    fronted: bool = False  # it stands before the subject
    inner: str = ""  # the text without its preposition

    @property
    def bare(self) -> str:
        return self.inner or self.text


@dataclass(frozen=True)
class Clause:
    """`subject auxiliaries (not) adverbs verb particle parts`, each as a question may need to move it."""

    subject: str
    noun: Any  # the head of the subject
    auxiliaries: tuple[str, ...]
    negated: bool
    early: str  # adverbs before the last auxiliary: "may only be"
    late: str  # adverbs before the verb: "be automatically controlled"
    verb: Any
    particle: str
    parts: tuple[Part, ...]
    helped: bool = False  # "is" or "was" was supplied to a lone participle

    @property
    def passive(self) -> bool:
        return self.helped or any(child.dep_ == "auxpass" for child in self.verb.children)

    @cached_property
    def nobody(self) -> bool:
        """ "No station shall ...": the subject denies."""
        return self.subject.lower().startswith("no ")

    @property
    def modal(self) -> str:
        """The first auxiliary, "" where there is none."""
        return self.auxiliaries[0] if self.auxiliaries else ""

    def group(self) -> str:
        """The verbs as they stand behind the subject."""
        denial = "not" if self.negated else ""
        words = [
            *self.auxiliaries[:1],
            denial,
            self.early,
            *self.auxiliaries[1:],
            self.late,
            self.verb.text,
            self.particle,
        ]
        return " ".join(word for word in words if word)

    def statement(self) -> str:
        front = ", ".join(part.text for part in self.parts if part.fronted)
        rest = " ".join(part.text for part in self.parts if not part.fronted)
        said = f"{front}, {self.subject}" if front else self.subject
        return tidy(f"{said} {self.group()} {rest}")


def find_clauses(doc: Any) -> list[Clause]:
    """The clauses of a sentence that can be asked about, the main ones first; none where the parse cannot be right."""
    found: list[Clause] = []
    if any(_is_impossible(verb) for verb in doc):
        return found
    for verb in _heads(doc):
        clause = _clause(verb)
        if clause is not None:
            found.append(clause)
    return found


def _heads(doc: Any) -> Iterator[Any]:
    """The main verbs, those joined to them, and those of relative clauses split off by a comma."""
    for root in (token for token in doc if token.dep_ == "ROOT" and token.pos_ in ("VERB", "AUX")):
        yield root
        waiting = [root]
        while waiting:
            for child in waiting.pop().children:
                if (
                    child.dep_ in ("conj", "ccomp")
                    and child.pos_ in ("VERB", "AUX")
                    and (child.dep_ == "conj" or (_own_subject(child) is not None and _comma_parted(child)))
                ):
                    yield child
                    waiting.append(child)
    for token in doc:
        if (
            (token.dep_ in ("relcl", "acl") and token.head.dep_ == "attr")
            or (token.dep_ == "acl" and token.tag_ == "VBN" and _after_comma(token))
            or (
                token.dep_ == "relcl"
                and _after_comma(token)
                and any(child.dep_ in SUBJECTS and child.tag_ in ("WDT", "WP") for child in token.children)
            )
        ):
            yield token


def _is_impossible(verb: Any) -> bool:
    """ "must make the station ... records": a plural noun taken for a verb that is joined to an infinitive."""
    head = verb.head
    lends = verb.dep_ == "conj" and head.tag_ == "VB" and any(c.dep_ == "aux" for c in head.children)
    return lends and verb.tag_ in ("VBZ", "VBD") and _own_subject(verb) is None


def _comma_parted(verb: Any) -> bool:
    """A clause joined without "that" ("..., the speed must not exceed"), taken for a complement by the parser."""
    return not any(child.dep_ == "mark" for child in verb.children) and any(
        child.text in (";", ":") for child in verb.head.children
    )


def _after_comma(token: Any) -> bool:
    start = token.left_edge.i
    return start > 0 and token.doc[start - 1].text in (",", "(", "–", "—")


def _own_subject(verb: Any) -> Any:
    return next((child for child in verb.children if child.dep_ in SUBJECTS), None)


def _clause(verb: Any) -> Clause | None:
    subject, lender = _own_subject(verb), verb
    if verb.dep_ in ("relcl", "acl") and verb.head.dep_ == "attr":
        return _through_copula(verb)
    if verb.dep_ == "acl":
        return _reduced(verb, verb.head, text_of(verb.head, without=[verb]))
    while subject is None and lender.dep_ == "conj":
        lender = lender.head
        subject = _own_subject(lender)
    if subject is None or subject.i > verb.i or subject.pos_ == "PRON":
        return None
    if subject.tag_ in ("WDT", "WP"):
        if verb.dep_ != "relcl":
            return None
        subject = verb.head
        named = subject.pos_ == "PROPN" or any(c.dep_ == "det" and c.lower_ == "the" for c in subject.children)
        if not named:
            return None
        words = text_of(subject, without=[verb])
    else:
        words = text_of(subject)
    if verb.dep_ == "conj" and verb.head.pos_ in ("NOUN", "PROPN"):
        words = tidy(verb.doc[verb.head.left_edge.i : subject.right_edge.i + 1].text)
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
    verb: Any, lender: Any, noun: Any, words: str, subject: Any, auxiliaries: list[Any], nor: bool = False
) -> Clause:
    """`noun` heads the `words` of the subject; `subject` is the token that stands for it beside the verb."""
    denied = nor or any(child.dep_ == "neg" for child in verb.children)
    between = [
        child
        for child in verb.children
        if child.dep_ == "advmod"
        and child.i < verb.i
        and child.lower_ not in _CONNECTIVES
        and (subject.i < child.i or verb.dep_ == "acl")
        and child.tag_ != "WRB"
    ]
    particle = " ".join(child.text for child in verb.children if child.dep_ == "prt")
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
        parts=tuple(_merged(list(_parts(verb, subject, lender, {child.i for child in between})))),
    )


def _through_copula(verb: Any) -> Clause | None:
    """ "The Amazon is a forest that covers the basin": the forest is the subject, so it covers the basin too."""
    copula = verb.head.head
    subject = _own_subject(copula)
    if copula.lemma_ != "be" or subject is None or subject.i > copula.i or copula.dep_ not in ("ROOT", "conj"):
        return None
    if any(child.dep_ == "neg" or child.lower_ in ("if", "no") for child in copula.children):
        return None
    if verb.dep_ == "acl":
        return _reduced(verb, subject, text_of(subject), past=copula.tag_ == "VBD")
    relative = _own_subject(verb)
    if relative is None or relative.tag_ not in ("WDT", "WP"):
        return None
    auxiliaries = [child for child in verb.children if child.dep_ in ("aux", "auxpass") and child.i < verb.i]
    if not auxiliaries and verb.tag_ not in ("VBZ", "VBP", "VBD"):
        return None
    modal = next((child for child in copula.children if child.dep_ == "aux"), None)
    return None if modal is not None else _made(verb, verb, subject, text_of(subject), relative, auxiliaries)


def _reduced(verb: Any, noun: Any, subject: str, past: bool = False) -> Clause | None:
    """ "The forest, also known as Amazonia, ...": a participle behind its noun, with the verb that it leaves out."""
    named = noun.pos_ in ("PROPN", "PRON") or any(
        c.dep_ == "det" and c.lower_ in ("the", "a", "an") for c in noun.children
    )
    if verb.tag_ != "VBN" or not named or verb.i + 1 >= len(verb.doc):
        return None
    plural = noun.tag_ in ("NNS", "NNPS")
    word = ("were" if past else "are") if plural else ("was" if past else "is")
    clause = _made(verb, verb, noun, subject, verb.head, [])
    return replace(clause, auxiliaries=(word,), helped=True)


def _parts(verb: Any, subject: Any, lender: Any, taken: set[int]) -> Iterator[Part]:
    children = list(verb.children)
    if lender is not verb:  # a condition in front governs the joined verbs too
        children = [c for c in lender.children if c.dep_ == "advcl" and c.i < lender.i] + children
    for child in children:
        if child.i in taken or child.dep_ in ("aux", "auxpass", "neg", "prt", "punct", "cc", "conj", "mark", "intj"):
            continue
        if child == subject or child.dep_ in SUBJECTS or child.dep_ in ("csubj", "expl", "preconj", "parataxis", "dep"):
            continue
        if child.dep_ == "ccomp" and _own_subject(child) is not None and _comma_parted(child):
            continue
        if child.dep_ == "advmod" and child.lower_ in _CONNECTIVES:
            continue
        part = _part(child, fronted=child.i < min(subject.i, verb.i))
        if part is not None:
            yield part


def _part(child: Any, fronted: bool) -> Part | None:
    text = text_of(child)
    if not text:
        return None
    if child.dep_ in ("prep", "agent"):
        return _prepositional(child, text, fronted)
    if child.dep_ == "advcl":
        word = next((c for c in child.children if c.dep_ in ("mark", "advmod") and c.i < child.i), None)
        if word is not None and word.lower_ == "while" and not fronted and _after_comma(child):
            return Part("aside", text, child, "", fronted)  # a contrast, no condition
        if word is not None and word.lower_ in _CONDITIONS:
            return Part("condition", text, child, word.lower_, fronted)
        if word is not None and word.lower_ == "as" and fronted:
            return Part("time", text, child, "as", fronted)
        if word is not None and word.lower_ in ("because", "since"):
            return Part("reason", text, child, word.lower_, fronted)
        if any(c.tag_ == "TO" for c in child.children) and word is None:
            return Part("reason", text, child, "to", fronted)
        if _after_comma(child) and word is None:
            return None  # a participial tail
        return Part("aside", text, child, "", fronted)
    if child.dep_ == "xcomp":
        return Part("infinitive", text, child, "", fronted)
    if child.dep_ == "ccomp":
        helps = [c for c in child.children if c.dep_ in ("aux", "auxpass")]
        doer = _own_subject(child)
        if any(c.tag_ == "TO" for c in helps) and doer is not None:
            return Part("enabling", text, child, text_of(doer), fronted)
        finite = child.tag_ in ("VBZ", "VBP", "VBD") or any(c.tag_ in ("MD", "VBZ", "VBP", "VBD") for c in helps)
        return Part("that" if finite else "aside", text, child, "", fronted)
    if child.dep_ == "npadvmod":
        return Part("time" if is_time(child) else "adverb", text, child, "", fronted)
    if child.dep_ == "advmod":
        return Part("adverb", text, child, "", fronted)
    role = _ROLES.get(child.dep_)
    return Part(role, text, child, "", fronted) if role else None


def _prepositional(child: Any, text: str, fronted: bool) -> Part | None:
    noun = next((c for c in child.children if c.dep_ in ("pobj", "pcomp")), None)
    if noun is None:
        inner = next((c for c in child.children if c.dep_ == "prep"), None)  # "from under the table", "because of"
        noun = next((c for c in inner.children if c.dep_ == "pobj"), None) if inner is not None else None
    if noun is None:
        return None
    preposition = child.lower_
    inner_text = text_of(child, without_token=child)
    lowered = text.lower()
    if lowered.startswith(
        ("for example", "for instance", "in addition", "in general", "of course", "in fact", "on the other hand")
    ):
        return None
    if lowered.startswith(REASONS):
        role = "reason"
    elif child.dep_ == "agent":
        role = "agent"
    elif noun.dep_ == "pcomp" and preposition in ("by", "through"):
        role = "manner"
    elif noun.dep_ == "pcomp" and preposition in ("when", "if", "after", "before", "while", "until"):
        role = "condition"
    elif preposition in ("during", "until", "since") or (preposition in TIME_PREPOSITIONS and is_time(noun)):
        role = "time"
    elif is_place(noun, preposition):
        role = "place"
    elif lowered.startswith(("except", "according", "including", "such as", "like", "unlike", "despite")):
        role = "aside"
    else:
        role = "aside" if not fronted and _after_comma(child) else "preposition"
    return Part(role, text, noun, preposition, fronted, inner_text)


def _merged(parts: list[Part]) -> list[Part]:
    """Neighbouring times as one: "at the end of each communication, and at least every 10 minutes"."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last and part.role == last.role == "time" and part.fronted == last.fronted:
            doc = part.head.doc
            between = doc[_last(last.head) + 1 : _first(part.head)].text
            joint = ", and " if re.search(r"\band\b", between) else " or " if re.search(r"\bor\b", between) else " "
            merged[-1] = replace(last, text=f"{last.text}{joint}{part.text}", inner="", head=part.head)
        else:
            merged.append(part)
    return merged


def _first(token: Any) -> int:
    return int((token.head if token.dep_ == "pobj" else token).left_edge.i)


def _last(token: Any) -> int:
    return int(token.right_edge.i)


def text_of(token: Any, without: Sequence[Any] = (), without_token: Any = None) -> str:
    """The words of a phrase, without parentheses, asides and clauses behind a comma."""
    dropped: set[int] = set()
    for other in without:
        dropped |= {t.i for t in other.subtree}
    for inside in token.subtree:
        if inside is token or inside == token:
            continue
        if _splits_off(inside):
            dropped |= {t.i for t in inside.subtree}
    kept, depth = [], 0
    for t in token.subtree:
        depth += t.text in ("(", "[")
        if depth == 0 and t.i not in dropped and t != without_token:
            kept.append(t)
        depth -= t.text in (")", "]") and depth > 0
    text = tidy(
        "".join(
            t.text_with_ws if t.whitespace_ or i + 1 == len(kept) or kept[i + 1].i == t.i + 1 else f"{t.text} "
            for i, t in enumerate(kept)
        )
    )
    if kept and kept[-1].i + 1 >= len(token.doc) and len(text) > 1:
        text = text.rstrip(".")  # "100 W." at the end of a sentence is one token
    first = kept[0] if kept else token
    if (first.i == 0 and first.pos_ != "PROPN" and first.text[1:].islower()) or first.lower_ in ("a", "the"):
        text = text[:1].lower() + text[1:]
    return (
        re.sub(r"^(?:this|these)\s+(?=[a-z-]+\b(?!\s+(?:is|are|was|were)\b))", "the ", text)
        if token.dep_ in SUBJECTS
        else text
    )


def _splits_off(token: Any) -> bool:
    if token.dep_ == "relcl":
        return _after_comma(token)
    if token.dep_ in ("acl", "advcl") and token.tag_ in ("VBG", "VBN"):
        return _after_comma(token) and not any(
            c.dep_ in ("mark", "advmod") and c.lower_ in _CONDITIONS for c in token.children
        )
    if token.dep_ == "prep" and token.lower_ in ("except", "including", "such"):
        return _after_comma(token)
    if token.dep_ == "appos" and token.head.dep_ != "attr":
        return _after_comma(token) and not any(c.dep_ in ("conj", "cc") for c in (*token.subtree, *token.head.children))
    return False


def tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([,;.])", r"\1", text)
    text = re.sub(r"(?:[,;:–—]\s*)+([,;])", r"\1", text)
    text = re.sub(r"[,;]?\s+(?:and|or|but)$", "", text.rstrip(" ,;"))
    return text.strip(" ,;:–—")
