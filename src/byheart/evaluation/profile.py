"""The profile of a fact: what the model shows of it, by three tests from the hardest to the easiest.

A model often holds a fact that it cannot say: Gekhman et al., "Inside-Out: Hidden Factual Knowledge in LLMs"
(arXiv 2503.15299). A single score cannot tell such a fact from one that was never learned.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from byheart.data.split import NEVER_HELD_OUT
from byheart.documents.languages.folding import fold_for_comparison
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.recall import compare, normalise
from byheart.evaluation.sampling import dice
from byheart.evaluation.summary import GENERATED
from byheart.evaluation.verbatim import WORD
from byheart.records import FORWARD, Answer, Fact, Probe

PREFIX, END = "profile-", "profile-end-"
SAYS, CHOOSES, ENDS, NONE = "says", "chooses", "ends", "none"
PROFILES = (SAYS, CHOOSES, ENDS, NONE)  # a fact has the first that holds
WRONG = 5  # answers of other facts that the right one is compared with: 1 in 6 is chosen by luck
SLICE = 16
_LONGEST = 16  # words of an answer: more would not fit into `max_new_tokens`
_COMMON = 0.1  # of the facts: an answer to so many, such as the document's title, shows nothing of one of them
_RUN = 8  # words of the end that must be those of the document, or all that are left
END_TOKENS = 24
_NEAR = 40  # answers that are looked at, to find the wrong ones of the same kind
Pooled = tuple[bool, bool, bool, int, str, str]  # kind and length of an answer, the answer, its normal form


@dataclass(frozen=True)
class Profile:
    """fact_says, fact_chooses, fact_ends and fact_none: shares of `facts` taught facts that add up to 1. null: all facts.

    Each fact counts once, by the first test that it passes. says: the answer to a question on it contains the right
    one. chooses: the right answer is likelier per token than five of the same kind that belong to other facts. ends:
    given the first half of its sentence as plain text, the model goes on with the document's own words. The facts are
    spread evenly over the documents, always the same ones. The question is a held-out one where the fact has one;
    fact_says_held_out is the share of facts said among these.
    """

    facts: int | None = 24
    max_new_tokens: int = 32  # of an answer
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.facts is not None:
            require_count("evaluation.profile.facts", self.facts)
        require_count("evaluation.profile.max_new_tokens", self.max_new_tokens)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        cases = spread(cases_of(material), self.facts)
        answers: dict[str, Answer] = {}
        on_progress(0, len(cases))
        for start in range(0, len(cases), SLICE):
            part = cases[start : start + SLICE]
            choices = [case for case in part if case.wrong]
            halves = [case for case in part if case.rest]
            said = model.answer([case.asked.question for case in part], self.max_new_tokens)
            found = model.likelihoods([(case.asked.question, case.options) for case in choices])
            went_on = model.go_on([case.begun for case in halves], END_TOKENS)
            leads = {case.fact.id: _lead(pairs) for case, pairs in zip(choices, found, strict=True)}
            ends = {case.fact.id: text for case, text in zip(halves, went_on, strict=True)}
            for case, text in zip(part, said, strict=True):
                answers |= case.answers(text.strip(), leads.get(case.fact.id), ends.get(case.fact.id))
            on_progress(start + len(part), len(cases))
        counted = {name: _shares(answer) for name, answer in answers.items() if not name.startswith(END)}
        return Scored(means([case.asked for case in cases], counted), answers)


@dataclass(frozen=True)
class Case:
    """A fact with what is asked about it. `wrong` and `rest` are empty where the test cannot be made."""

    fact: Fact
    asked: Probe  # its id is that of the answer; one accepted answer
    held_out: bool  # whether no row has this form of question on the fact
    wrong: tuple[str, ...] = ()  # answers of other facts
    begun: str = ""  # the first half of the sentence
    rest: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        return (*self.wrong, self.asked.answers[0])

    def answers(self, said: str, lead: float | None, end: str | None) -> dict[str, Answer]:
        """What one model did, by id: its answer with the three verdicts, and its continuation of the sentence."""
        metrics = {SAYS: compare(said, self.asked.answers)["contains"], "held_out": float(self.held_out)}
        if lead is not None:
            metrics |= {"lead": lead, CHOOSES: float(lead > 0)}
        if end is not None:
            metrics[ENDS] = float(_same_words(end, self.rest))
        found = {self.asked.id: Answer(self.asked.id, said, metrics)}
        if end is not None:
            found[END + self.fact.id] = Answer(END + self.fact.id, end.strip())
        return found


def cases_of(material: Material) -> list[Case]:
    """A case for each taught fact on which there is a question of its own, in reading order."""
    asked = [
        probe
        for probe in material.questions
        if len(probe.facts) == 1 and probe.answers and probe.angle not in NEVER_HELD_OUT
    ]
    given: dict[str, set[str]] = {}  # answer -> the facts that it is given for
    for probe in asked:
        given.setdefault(probe.answers[0], set()).add(probe.facts[0])
    own: dict[str, list[Probe]] = {}
    for probe in asked:
        if len(given[probe.answers[0]]) <= max(2, _COMMON * len(material.taught)):
            own.setdefault(probe.facts[0], []).append(probe)
    pool = sorted((*_kind_and_length(text), text, normalise(text)) for text in given)
    return [_case(fact, min(own[fact.id], key=_preferred), pool, given) for fact in material.taught if fact.id in own]


def spread(cases: Sequence[Case], count: int | None) -> list[Case]:
    """At most `count` of them: one of each stretch of equal length, so that every part of the documents is measured."""
    if count is None or count >= len(cases):
        return list(cases)
    ends = [len(cases) * i // count for i in range(count + 1)]
    stretches = [cases[start:end] for start, end in pairwise(ends)]
    return [min(some, key=lambda case: dice(case.fact.id)) for some in stretches]


def profiles(conditions: Mapping[str, Scored], material: Material) -> list[dict[str, object]]:
    """The rows of profile.jsonl: of each measured fact its profile before and after, and what each model did."""
    rows = []
    for case in cases_of(material):
        seen = {name: scored for name, scored in conditions.items() if case.asked.id in scored.answers}
        if not seen:
            continue
        row: dict[str, object] = {
            "fact": case.fact.id,
            "text": case.fact.text,
            "question": case.asked.question,
            "answer": case.asked.answers[0],
            "held_out": case.held_out,
            "wrong": list(case.wrong),
        }
        for name, when in (("untuned", "before"), ("tuned", "after")):
            row[when] = profile_of(seen[name].answers[case.asked.id]) if name in seen else None
        for name, scored in seen.items():
            answer, end = scored.answers[case.asked.id], scored.answers.get(END + case.fact.id)
            row[name] = {
                "profile": profile_of(answer),
                **{test: bool(answer.metrics[test]) if test in answer.metrics else None for test in PROFILES[:3]},
                "said": answer.text,
                "lead": answer.metrics.get("lead"),
                "end": end.text if end else None,
            }
        rows.append(row)
    return rows


def profile_of(answer: Answer) -> str:
    return next((test for test in PROFILES[:3] if answer.metrics.get(test)), NONE)


def _shares(answer: Answer) -> Answer:
    found = profile_of(answer)
    shares = {f"fact_{name}": float(name == found) for name in PROFILES}
    if answer.metrics["held_out"]:
        shares["fact_says_held_out"] = answer.metrics[SAYS]
    return Answer(answer.probe, "", shares)


def _case(fact: Fact, probe: Probe, pool: Sequence[Pooled], given: Mapping[str, set[str]]) -> Case:
    right = probe.answers[0]
    others = pool[max(0, (at := bisect_left(pool, _kind_and_length(right))) - _NEAR // 2) : at + _NEAR // 2]
    wrong = _wrong(fact.id, right, [each for each in others if fact.id not in given[each[-2]]])
    asked = Probe(PREFIX + fact.id, probe.question, (right,), facts=(fact.id,), group=fact.id)
    starts = [match.start() for match in WORD.finditer(fact.text)]
    cut = starts[len(starts) // 2] if len(starts) >= 6 else 0
    begun, rest = (fact.text[:cut].rstrip(), fact.text[cut:].strip()) if cut else ("", "")
    return Case(fact, asked, probe.source == GENERATED, wrong, begun, rest)


def _preferred(probe: Probe) -> tuple[object, ...]:
    """Forward before reverse, held out before trained, questions before blanks, then the shortest answer."""
    words = len(WORD.findall(probe.answers[0]))
    return (
        words > _LONGEST,
        probe.direction != FORWARD,
        probe.source != GENERATED,
        probe.angle == "blank",
        words,
        dice(probe.id),
    )


def _kind_and_length(answer: str) -> tuple[bool, bool, bool, int]:
    """Numbers, names, sentences and other words are kinds of answers."""
    words = WORD.findall(answer)
    names = all(word[0].isupper() for word in words)
    return any(map(str.isdecimal, answer)), names, answer.strip()[-1:].isalnum(), len(words)


def _wrong(fact: str, right: str, others: Sequence[Pooled]) -> tuple[str, ...]:
    """Answers of the same kind and about as long; none that holds the right one, or is held by it."""
    *kind, length = _kind_and_length(right)
    plain = normalise(right)
    found: dict[str, tuple[object, ...]] = {}
    for *own, words, text, other in others:
        if plain and other and plain not in other and other not in plain:
            begins_so = other.split()[0] == plain.split()[0]  # "No, ..." beside "No, ...": else one word would tell
            found[text] = (own != kind, not begins_so, abs(words - length), dice(fact + text))
    return tuple(sorted(found, key=found.__getitem__)[:WRONG])


def _lead(pairs: Sequence[tuple[float, int]]) -> float:
    """Nats per token of the last continuation, less those of the likeliest other."""
    *wrong, right = (total / max(tokens, 1) for total, tokens in pairs)
    return right - max(wrong)


def _same_words(said: str, rest: str) -> bool:
    wanted, words = (WORD.findall(fold_for_comparison(text)) for text in (rest, said))
    count = min(_RUN, len(wanted))
    return words[:count] == wanted[:count]
