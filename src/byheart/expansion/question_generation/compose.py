"""A question put together: the word that asks, the verbs turned round the subject, and what stays of the parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.expansion.question_generation.clauses import Clause, Part
from byheart.expansion.question_generation.inflect import Verbs, article, invert
from byheart.expansion.question_generation.wording import capital, small, tidy

SHORT, FULL = "short", "full"
TITLE = "{title}"  # stands for the name of the document
MODALS = ("may", "shall", "can", "must")
_DISPENSABLE = ("reason", "manner", "adverb", "time", "place")
MOST_WORDS = 18  # of a question, before parts that it can do without are left out


@dataclass(frozen=True)
class Asked:
    """A question read off a clause. `target` is what it asks for; of several on one target the best is asked first."""

    target: str
    question: str
    answer: str
    length: str  # SHORT or FULL answer
    backwards: bool = False  # it gives what is said, and asks of whom


def compose(clause: Clause, asking: str, without: Sequence[Part] = (), strand: str = "", permit: bool = False) -> str:
    """The question that begins with `asking`, "" where none can be made: inverted, a condition in front where the
    sentence has it there. With `permit` it asks what one "is allowed to" or "is required to"."""
    verbs = _permitted(clause) if permit else invert_group(clause)
    if verbs is None:
        return ""
    parts = fitting(clause, without)
    denial = "not" if clause.negated and not permit else ""
    subject = someone(clause) if permit else clause.subject
    words = [asking, verbs.first, subject, denial, clause.early, verbs.rest, clause.particle, behind(parts), strand]
    return in_front(parts, tidy(" ".join(words)))


def invert_group(clause: Clause) -> Verbs | None:
    verb = clause.verb
    return invert(clause.auxiliaries, clause.late, verb.text, verb.lemma_, verb.tag_)


def _permitted(clause: Clause) -> Verbs | None:
    """ "is (not) allowed to transmit", "is required to have"."""
    if clause.modal not in MODALS:
        return None
    denied = clause.nobody or clause.negated
    duty = "required" if clause.auxiliaries[0] in ("must", "shall") and not denied else "allowed"
    verb = clause.verb.text if clause.auxiliaries[1:] else clause.verb.lemma_
    rest = [f"{'not ' if denied else ''}{duty} to", *clause.auxiliaries[1:], clause.late, verb]
    return Verbs("are" if is_plural(clause) else "is", " ".join(rest))


def in_front(parts: Sequence[Part], body: str) -> str:
    """The body of a question behind the conditions that stand in front."""
    front = ", ".join(part.text for part in parts if part.fronted and part.role == "condition")
    return f"{capital(front)}, {body}?" if front else f"{capital(body)}?"


def behind(parts: Sequence[Part]) -> str:
    """The parts behind the verb; a time or place that stood in front goes to the end."""
    back = [part.text for part in parts if not part.fronted]
    return " ".join(back + [small(part.text) for part in parts if part.fronted and part.role != "condition"])


def fitting(clause: Clause, without: Sequence[Part] = ()) -> list[Part]:
    """The parts that stay: all that a question needs, and of the others as many as it can bear."""
    parts = [part for part in clause.parts if part not in without and part.role != "aside"]
    if any(part.role == "time" and not part.fronted for part in parts):
        parts = [part for part in parts if part.role != "time" or not part.fronted]
    for role in _DISPENSABLE:
        if len(clause.subject.split()) + 3 + sum(len(part.text.split()) for part in parts) > MOST_WORDS:
            parts = [part for part in parts if part.role != role]
    return parts


def someone(clause: Clause) -> str:
    """The subject; "No amateur station" as one speaks of it in a question, "an amateur station"."""
    if not clause.nobody:
        return clause.subject
    noun = clause.subject.split(maxsplit=1)[1]
    return noun if is_plural(clause) else f"{article(noun)} {noun}"


def is_plural(clause: Clause) -> bool:
    return clause.noun.tag_ in ("NNS", "NNPS") or any(child.dep_ == "conj" for child in clause.noun.children)


def sentence(text: str) -> str:
    return f"{capital(tidy(text)).rstrip('.')}."
