"""A language model as judge: whether each answer is correct, incorrect or not attempted (SimpleQA's classes).

Word matching fails long answers: an exam option said in other words has an F1 of 0.2 and contains nothing. A judge reads
the question, the right answers and the given answer. Whoever judges is judged first (`judge_audit.py`).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from byheart.errors import Problem, UserError
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.judge_audit import BILL, NAME, UNREAD, Item, agreement, audit_counts, audit_items, doubts
from byheart.evaluation.recall import accepted, compare
from byheart.evaluation.verdict import CLASSES, CORRECT, NOT_ATTEMPTED, Case, read_verdict
from byheart.records import Answer, Probe, counted
from byheart.teacher.base import Estimate, Failure, Outcomes, Progress, ignore
from byheart.teacher.openai import OpenAI
from byheart.teacher.response import why_empty

WHERE = f"evaluation.{NAME}"
ROOMS = (64, 1024, 8192)  # tokens of a reply: as many as the judge's thinking turns out to need
NO_VERDICT = "its reply is no verdict"


@dataclass(frozen=True)
class Judge(OpenAI):
    """judged_correct, judged_incorrect and judged_not_attempted of the model's greedy answers.

    The options of a server are those of `teacher=openai`. Every verdict is kept in the teachers' cache, so it is paid
    once. A judge that fails costs its own figures only. Answers without a verdict are counted, and in no figure.
    """

    max_new_tokens: int = 32  # of each answer, at most; with `recall`'s number both read the same answers
    asks_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count(f"{WHERE}.max_new_tokens", self.max_new_tokens)

    def problems(self) -> Sequence[Problem]:
        """What is wrong with the address or the key's name, found before any work."""
        return [
            replace(each, where=_named(each.where), what=_named(each.what), fix=_named(each.fix))
            for each in super().problems()
        ]

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe],
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        asked = [probe for probe in probes if accepted(probe)]
        if not asked:
            return Scored()
        asked.sort(key=lambda probe: (len(probe.question), probe.id))
        all_of_it = 2 * len(asked)  # to be answered, and judged
        on_progress(0, all_of_it)
        questions = [probe.question for probe in asked]
        texts = model.answer(questions, self.max_new_tokens, lambda done, _: on_progress(done, all_of_it))
        own = material.asked  # with open book a probe's question carries the passage, which no judge needs
        cases = [
            Case(own.get(probe.id, probe).question, accepted(probe), text.strip())
            for probe, text in zip(asked, texts, strict=True)
        ]
        sitting = _Sitting(self, audit_items(list(own.values()) or asked), cases)
        sitting.hold(lambda done: on_progress(len(asked) + done, all_of_it))
        on_progress(all_of_it, all_of_it)
        answers = {
            probe.id: Answer(probe.id, case.given, _metrics(sitting.verdicts.get(place)))
            for place, (probe, case) in enumerate(zip(asked, cases, strict=True))
        }
        account = sitting.account(asked)
        return Scored(means(asked, answers), answers, sitting.notes(), {NAME: account}, not sitting.error)

    def expected(self, probes: Sequence[Probe], models: int) -> Estimate:
        """The most that judging the answers of so many models would take. Nothing is sent."""
        asked = [probe for probe in probes if accepted(probe)]
        cases = [item.case for item in audit_items(asked)]
        for number in range(models):
            words = " ".join([str(number), *["answer"] * (self.max_new_tokens - 1)])
            cases += [Case(probe.question, accepted(probe), words) for probe in asked]
        return self.estimate([case.request(ROOMS[0]) for case in cases])


@dataclass
class _Sitting:
    """One model's answers before the judge: the audit first, then the answers."""

    judge: Judge
    items: list[Item]
    cases: Sequence[Case]
    verdicts: dict[int, str] = field(default_factory=dict)  # by the place of the case
    audited: dict[int, str] = field(default_factory=dict)  # by the place of the item
    unread: Counter[str] = field(default_factory=Counter)  # why there is no verdict
    bill: dict[str, Any] = field(default_factory=lambda: {**dict.fromkeys(BILL, 0), "cost": None})
    error: str = ""
    room: int = ROOMS[0]

    def hold(self, on_judged: Callable[[int], None]) -> None:
        """Whatever becomes of the judge, the run goes on. Without the last verdict there are no figures: which answers
        were judged before a failure is no fair sample."""
        said = {place: case for place, case in enumerate(self.cases) if case.given}
        try:
            self._find_room()
            self.audited = self._ask(dict(enumerate(item.case for item in self.items)))
            if not self.audited:
                return
            self.unread.clear()  # what the audit did not get is counted there
            found = self._ask(said, on_judged)
            # An empty answer needs no judge.
            self.verdicts = dict.fromkeys(range(len(self.cases)) - said.keys(), NOT_ATTEMPTED) | found
        except Exception as error:  # a server that fails in whatever way must not cost the other scores of an hour
            told = error.problems[0].what if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self.error = _named(" ".join(told.split()))

    def _find_room(self) -> None:
        """A judge that thinks first needs more tokens than a verdict has: found out with one request."""
        for self.room in ROOMS:
            outcome = self._send([self.items[0].case])[0]
            if isinstance(outcome, Failure) or read_verdict(outcome) or outcome.finish_reason != "length":
                return

    def _ask(self, cases: Mapping[int, Case], on_judged: Callable[[int], None] = ignore) -> dict[int, str]:
        """The verdicts by the keys of `cases`; why there are fewer is counted in `unread`."""
        found = {}
        for place, outcome in zip(cases, self._send(list(cases.values()), on_judged), strict=True):
            if isinstance(outcome, Failure):
                self.unread[outcome.reason] += 1
            elif (verdict := read_verdict(outcome)) is not None:
                found[place] = verdict
            else:
                self.unread[why_empty(outcome) or NO_VERDICT] += 1
        return found

    def _send(self, cases: Sequence[Case], on_judged: Callable[[int], None] = ignore) -> Outcomes:
        before = dict(self.bill)

        def count(now: Progress) -> None:
            sent = {"requests": now.done - now.cached - now.failed}
            self.bill |= {name: before[name] + sent.get(name, getattr(now, name, 0)) for name in BILL}
            if now.cost is not None:
                self.bill["cost"] = (before["cost"] or 0.0) + now.cost
            on_judged(now.done)

        return self.judge.ask([case.request(self.room) for case in cases], on_progress=count)

    def account(self, asked: Sequence[Probe]) -> dict[str, Any]:
        """What scores.json says of the judge beside its figures."""
        audit = audit_counts(self.items, self.audited) if self.audited or not self.error else {}
        found = doubts(audit)
        matches = [compare(case.given, accepted(probe)) for probe, case in zip(asked, self.cases, strict=True)]
        return {
            "model": self.judge.title,
            "trusted": not found if audit else None,
            "doubts": found,
            "audit": audit,
            "judged": len(self.verdicts),
            UNREAD: len(self.cases) - len(self.verdicts),
            "why_not_judged": dict(self.unread.most_common()),
            "error": self.error,
            "agreement": {
                metric: agreement(
                    [(verdict == CORRECT, matches[i][metric] >= 1) for i, verdict in sorted(self.verdicts.items())]
                )
                for metric in ("exact_match", "contains")
            },
            "bill": self.bill,
        }

    def notes(self) -> tuple[str, ...]:
        """What the user is warned of."""
        asked = counted(len(self.cases), "answer")
        if self.error:
            again = "byheart evaluate on this run asks again, and pays only for the verdicts that are missing"
            return (f"the judge {self.judge.title} failed, so {asked} have no verdict: {self.error}; {again}",)
        found = []
        if why := doubts(audit_counts(self.items, self.audited)):
            found.append(
                f"the judge {self.judge.title} is not to be trusted: {'; '.join(why)}. "
                f"Do not rely on its figures; choose another {WHERE}.model"
            )
        if left := len(self.cases) - len(self.verdicts):
            reason = next((reason for reason, _ in self.unread.most_common(1)), NO_VERDICT)
            found.append(f"{left} of {asked} were not judged, mostly because {_named(reason)}")
        return tuple(found)


def _metrics(verdict: str | None) -> dict[str, float]:
    return {f"judged_{name}": float(verdict == name) for name in CLASSES} if verdict else {}


def _named(text: str) -> str:
    """A message of the teachers' client, with the keys that the judge has."""
    return re.sub(r"\bteacher\.(?=[a-z])", f"{WHERE}.", text)
