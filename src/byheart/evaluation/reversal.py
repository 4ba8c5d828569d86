"""The reversal curse: whether a model that was told "A is B" knows that B is A (Berglund et al., arXiv 2309.12288).

Forward questions name the subject and ask what is said of it; reverse questions give what is said and ask of whom. They
are the user's (`direction` in the questions file), the held-out ones, and two on each taught fact that describes a name,
in wordings that no expansion writes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import hypot
from typing import TYPE_CHECKING, ClassVar

from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import bootstrap, means, wilson
from byheart.evaluation.recall import accepted, contains, normalise
from byheart.evaluation.sampling import sampled
from byheart.records import FORWARD, REVERSE, Answer, Fact, Probe, Value

if TYPE_CHECKING:
    import numpy as np

PREFIX = "reversal-"
SLICE = 16
PHRASE = 5  # words up to which an answer is of the short kind
OWN = "own"  # tag of the questions on facts
Kind = tuple[str, str]  # of answer, direction


@dataclass(frozen=True)
class Reversal:
    """Accuracy both ways, the gap between them at equal kinds of answer, and the right answer against random ones.

    reversal_forward, reversal_reverse   the share whose greedy answer contains the right one
    reversal_gap                         forward minus reverse, over the kinds of answer (name, number, phrase, sentence)
                                         that were asked for in both directions; absent where there is none
    reversal_forward_choice, ..._reverse_choice, ..._choice_gap
                                         the share whose right answer is likelier than each of `rivals` answers to other
                                         questions of its direction and document: one chance for both directions
    reversal_margin                      of reverse questions: nats a token of the right name above the mean of the others

    `sample`: questions of each direction, at most. A probe with options is asked without them.
    """

    sample: int = 100
    rivals: int = 9
    max_new_tokens: int = 32
    asks_probes: ClassVar[bool] = False  # open book gives the answer away

    def __post_init__(self) -> None:
        for name in ("sample", "rivals", "max_new_tokens"):
            require_count(f"evaluation.reversal.{name}", getattr(self, name))

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        pool = [probe for probe in (*probes, *own_probes(material.taught)) if accepted(probe)]
        asked = [
            replace(probe, id=PREFIX + probe.id, group=probe.group or probe.id)
            for way in (FORWARD, REVERSE)
            for probe in sampled([probe for probe in pool if probe.direction == way], self.sample)
        ]
        if len({probe.direction for probe in asked}) < 2:
            return Scored()
        asked.sort(key=lambda probe: (len(probe.question), probe.id))
        others = {probe.id: rivals_of(probe, asked, self.rivals) for probe in asked}
        answers: dict[str, Answer] = {}
        on_progress(0, len(asked))
        for start in range(0, len(asked), SLICE):
            part = asked[start : start + SLICE]
            texts = model.answer([probe.question for probe in part], self.max_new_tokens)
            found = model.likelihoods([(p.question, (*others[p.id], accepted(p)[0])) for p in part])
            for probe, text, pairs in zip(part, texts, found, strict=True):
                answers[probe.id] = Answer(probe.id, text.strip(), _measures(probe, text, pairs))
            on_progress(len(answers), len(asked))
        return Scored(_metrics(asked, answers), answers)


def own_probes(facts: Sequence[Fact]) -> list[Probe]:
    """Two questions on each name that a fact describes and no other fact does in the same words."""
    from byheart.documents.languages.language import is_english
    from byheart.expansion.question_generation.identity import find_identities
    from byheart.expansion.question_generation.reading import parse

    read = [fact for fact in facts if is_english(fact.language) and not fact.cells and not fact.paired]
    docs = parse([" ".join(fact.text.split()) for fact in read])
    told = [(fact, one) for fact, doc in zip(read, docs, strict=True) for one in find_identities(doc)[:1] if one.tells]
    names, said = defaultdict(set), defaultdict(set)
    for _, one in told:
        names[normalise(one.definite)].add(normalise(one.name))
        said[normalise(one.name)].add(normalise(one.definite))
    found = []
    for fact, one in told:
        if len(names[normalise(one.definite)]) > 1 or len(said[normalise(one.name)]) > 1:
            continue
        backwards, straight = (REVERSE, FORWARD) if one.name_first else (FORWARD, REVERSE)
        asked = {
            backwards: (f"I am looking for {one.definite}. Give me the name only.", one.name),
            straight: (f"Tell me in a few words {one.who} {one.name} {one.be}.", one.definite),
        }
        for direction, (question, answer) in asked.items():
            found.append(
                Probe(
                    f"{fact.id}-{direction}", question, (answer,), document=fact.document, facts=(fact.id,),
                    direction=direction, source=OWN, group=fact.id,
                )
            )  # fmt: skip
    return found


def rivals_of(probe: Probe, asked: Sequence[Probe], count: int) -> list[str]:
    """Right answers to other questions of its direction and kind of answer, of its own document first, always the same."""
    own = {normalise(answer) for answer in accepted(probe)}
    pool: dict[str, tuple[bool, bytes, str]] = {}
    for other in asked:
        text = accepted(other)[0]
        if other.direction != probe.direction or kind_of(other) != kind_of(probe) or normalise(text) in own:
            continue
        order = (other.document != probe.document, sha256(f"{probe.id} {text}".encode()).digest(), text)
        pool[normalise(text)] = min(order, pool.get(normalise(text), order))
    return [text for _, _, text in sorted(pool.values())[:count]]


def kind_of(probe: Probe) -> str:
    """ "name", "number", "phrase" or "sentence": what the shortest accepted answer is."""
    words = min(accepted(probe), key=len).strip(" .").split()
    if len(words) <= PHRASE and any(word[:1].isdigit() for word in words):
        return "number"
    if len(words) <= PHRASE and all(word[:1].isupper() for word in (words[0], words[-1])):
        return "name"
    return "phrase" if len(words) <= PHRASE else "sentence"


def _measures(probe: Probe, text: str, pairs: Sequence[tuple[float, int]]) -> dict[str, float]:
    *others, right = (total / max(1, tokens) for total, tokens in pairs)
    found = {"said": max(float(contains(text, gold)) for gold in accepted(probe))}
    if others:
        found |= {"chosen": float(right > max(others)), "lead": right - sum(others) / len(others)}
    return found


def _metrics(asked: Sequence[Probe], answers: dict[str, Answer]) -> dict[str, Value]:
    metrics: dict[str, Value] = {}
    ways = {way: means([p for p in asked if p.direction == way], answers) for way in (FORWARD, REVERSE)}
    for measure, name in (("said", ""), ("chosen", "_choice")):
        for way, found in ways.items():
            if measure in found:
                metrics[f"reversal_{way}{name}"] = found[measure]
        if (between := gap(asked, answers, measure)) is not None:
            metrics[f"reversal{name}_gap"] = between
    if "lead" in ways[REVERSE]:
        metrics["reversal_margin"] = ways[REVERSE]["lead"]
    return metrics


def gap(asked: Sequence[Probe], answers: dict[str, Answer], measure: str) -> Value | None:
    """Forward minus reverse at equal kinds of answer, each kind weighed by the smaller of its two counts; its interval
    resamples groups. For `chosen`, where chance is one for all answers, all are of one kind. None where no kind was asked
    for in both directions."""
    import numpy as np

    rows = [(probe, answers[probe.id].metrics[measure]) for probe in asked if measure in answers[probe.id].metrics]
    kinds = {probe.id: "any" if measure == "chosen" else kind_of(probe) for probe, _ in rows}
    both = sorted(
        kind
        for kind in set(kinds.values())
        if len({probe.direction for probe, _ in rows if kinds[probe.id] == kind}) == 2
    )
    rows = sorted((row for row in rows if kinds[row[0].id] in both), key=lambda row: row[0].id)
    if not rows:
        return None
    groups = {group: at for at, group in enumerate(dict.fromkeys(probe.group for probe, _ in rows))}
    cells = {cell: at for at, cell in enumerate((kind, way) for kind in both for way in (FORWARD, REVERSE))}
    sums, counts = np.zeros((len(groups), len(cells))), np.zeros((len(groups), len(cells)))
    for probe, value in rows:
        place = groups[probe.group], cells[kinds[probe.id], probe.direction]
        sums[place] += value
        counts[place] += 1

    def difference(sums_C: "np.ndarray", counts_C: "np.ndarray") -> "np.ndarray":
        # A kind that a draw holds in one direction only has no weight in it.
        shares = sums_C / np.maximum(counts_C, 1)
        weights = np.minimum(counts_C[..., ::2], counts_C[..., 1::2])
        total = (weights * (shares[..., ::2] - shares[..., 1::2])).sum(axis=-1)
        return np.asarray(total / np.maximum(weights.sum(axis=-1), 1e-9))

    at = float(difference(sums.sum(axis=0), counts.sum(axis=0)))
    low, high = bootstrap(lambda drawn: difference(sums[drawn].sum(axis=1), counts[drawn].sum(axis=1)), len(groups))
    if high - low < 1e-12:  # every group alike: no certainty from so few (Newcombe's interval, by group)
        ways = [[(p.group, value) for p, value in rows if p.direction == way] for way in (FORWARD, REVERSE)]
        counted = [len({group for group, _ in way}) for way in ways]
        f, r = (wilson(sum(v for _, v in way) / len(way) * n, n) for way, n in zip(ways, counted, strict=True))
        low, high = at - hypot(f.value - f.low, r.high - r.value), at + hypot(f.high - f.value, r.value - r.low)
    return Value(at, len(rows), min(low, at), max(high, at))
