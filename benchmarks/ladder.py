"""Nine rungs against one temperature against five angles, asked of the embedded model itself on two short chunks.

    python benchmarks/ladder.py [PATH_OF_A_MODEL]

The three sides send equally many requests, of one pair each, in a prompt that a small model can follow
(benchmarks/plain_prompt.txt). Printed for each side and rung or angle, of the raw answers, since so small a model leaves
hardly a pair to keep: the share that differ (novelty), the share of their content words that the text holds (support),
the share with a readable pair; then the same for equal numbers of answers. Too small to decide a default. A killed run
goes on where it stopped: the answers are in the store.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.filters.words import plain
from byheart.expansion.from_teacher.angles import Angles
from byheart.expansion.from_teacher.chunk_progress import ANGLES_ASKED, PairRequest, PairSpec
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.from_teacher.parse import parse_pairs
from byheart.expansion.from_teacher.teacher_qa import TeacherQA
from byheart.records import Chunk, Fact
from byheart.teacher.local import Local

HERE = Path(__file__).parent
RULES = HERE.parent / "examples/ham_radio/amateur_radio_rules.md"
SECTIONS = ("97.9 ", "97.25 ")  # two short chunks
WORD = re.compile(r"[^\W\d_]{4,}")  # content words, roughly
ROOM = 64  # tokens of an answer
PLAIN = {"prompt": str(HERE / "plain_prompt.txt"), "pairs_per_request": 1, "max_attempts": 0}


@dataclass(frozen=True, kw_only=True)
class OneTemperature(Ladder):
    """The ladder's requests, all at 0.7: as often as there are rungs."""

    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[PairRequest]:
        asks = super().first_asks(chunk, facts, shift)
        return [
            replace(ask, temperature=0.7, sample=self.temperatures.index(round(ask.temperature, 4))) for ask in asks
        ]


@dataclass(frozen=True, kw_only=True)
class AsManyAngles(Angles):
    """All angles on every fact at 0.7, as many requests as the ladder sends."""

    count: int = 0

    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[PairRequest]:
        items = [PairSpec(place, angle) for angle in self.angles for place in range(len(facts))]
        count = self.count * len(facts)
        return [
            PairRequest(chunk.id, (items[n % len(items)],), self.temperature, sample=n // len(items))
            for n in range(count)
        ]


class Brief:
    """The local teacher, with room for a pair and no more."""

    answers_soon = True

    def __init__(self, teacher: Local):
        self.teacher, self.asked, self.replies = teacher, [], []

    def ask(self, requests, *more, **named):
        asked = [replace(request, max_tokens=ROOM) for request in requests]
        replies = self.teacher.ask(asked, *more, **named)
        self.asked += asked
        self.replies += replies
        return replies

    @property
    def fingerprint(self) -> str:
        return self.teacher.fingerprint


def source(teacher: Brief) -> Source:
    (document,) = load_documents([str(RULES)]).documents
    every = Chunking(max_tokens=120).split(document)
    chunks = tuple(c for c in every if any(name in (c.headings or ("",))[-1] for name in SECTIONS))[:2]
    facts = tuple(fact for fact in find_facts(document, every) if fact.chunk in {chunk.id for chunk in chunks})
    return Source((document,), chunks, facts, lead_ins(document, facts), teacher)


def told(side: TeacherQA, name: str, teacher: Local) -> list[str]:
    """Prints what a side came to; gives its answers as they came, in the order of asking."""
    brief = Brief(teacher)
    texts = source(brief)
    written = side.expand(texts)
    rows: dict[str, list[str]] = defaultdict(list)
    for request, reply in zip(brief.asked, brief.replies, strict=True):
        angle = next(angle for angle in ANGLES_ASKED if f", {angle};" in request.user)
        key = angle if name == "angles" else f"{request.temperature:g}"
        rows[key].append(getattr(reply, "text", ""))
    known = set(WORD.findall(" ".join(chunk.text for chunk in texts.chunks).lower()))
    print(f"\n{name}: {len(brief.asked)} requests, {len(written.examples)} examples kept")
    for key, answers in rows.items():
        new, backed, pairs = measured(answers, known)
        print(
            f"  {key:<10} answers {len(answers):>2}  distinct {new:.2f}  supported {backed:.2f}  with a pair {pairs:.2f}"
        )
    why = Counter(refusal.reason for refusal in written.rejected)
    print("  refused: " + "; ".join(f"{reason} ({count})" for reason, count in why.most_common()))
    for example in written.examples[:5]:
        print(f"    kept: {example.question} | {example.answer}")
    return [answer for answers in rows.values() for answer in answers]


def measured(answers: Sequence[str], known: set[str]) -> tuple[float, float, float]:
    """Shares: of answers that differ, of their content words that the text holds, of answers with a pair in them."""
    words = [word for answer in answers for word in WORD.findall(answer.lower())]
    distinct = len(set(map(plain, answers))) / len(answers)
    return distinct, mean(word in known for word in words), mean(bool(parse_pairs(a).pairs) for a in answers)


def main() -> None:
    teacher = Local(sys.argv[1] if len(sys.argv) > 1 else None, threads=1, precision="bfloat16", batch_tokens=12_000)
    count = len(Ladder(**PLAIN).requests(source(Brief(teacher))))
    per_fact = -(-count // len(source(Brief(teacher)).facts))
    sides = {
        "ladder": Ladder(**PLAIN),
        "one": OneTemperature(**PLAIN),
        "angles": AsManyAngles(**PLAIN, count=per_fact),
    }
    said = {name: told(side, name, teacher) for name, side in sides.items()}
    least = min(map(len, said.values()))
    known = set(WORD.findall(" ".join(chunk.text for chunk in source(Brief(teacher)).chunks).lower()))
    print(f"\n{least} answers of each side, spread over its rungs or angles:")
    for name, answers in said.items():
        spread = [answers[n * len(answers) // least] for n in range(least)]
        new, backed, pairs = measured(spread, known)
        print(f"  {name:<8} distinct {new:.2f}  supported {backed:.2f}  with a pair {pairs:.2f}")


if __name__ == "__main__":
    main()
