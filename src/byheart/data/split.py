"""The leak-free split: training, validation and test examples. Whole forms are held out, fact by fact."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byheart.damage import refused
from byheart.data.contamination import ContaminationFinder
from byheart.records import Chunk, Example, Fact, Split
from byheart.store import read_object

NEVER_HELD_OUT = ("recitation", "completion")  # their answers are the text itself, which every other form repeats
_PER_UNTAUGHT = 2
_ROUNDS = 4  # of asking further facts, where look-alikes were refused
Form = tuple[str, str, str]


@dataclass(frozen=True)
class Forms:
    """A share of the facts each give up one form (fact, angle, direction) with all its rungs, wordings and lengths."""

    seed: int = 0
    share: float = 0.25  # of the facts; 0 holds nothing out
    at_least: int = 50  # held-out examples in all; fewer only in tiny texts
    heldout_facts: float = 0.0  # share of the facts that are not taught at all, as a measure of invention

    def __post_init__(self) -> None:
        for name in ("share", "heldout_facts"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.at_least < 0:
            raise ValueError(f"at_least must not be negative, got {self.at_least}")

    def split(
        self,
        examples: Sequence[Example],
        facts: Sequence[Fact],
        chunks: Sequence[Chunk],
        asked: Mapping[str, int],
        per_fact: int = 1,
    ) -> Split:
        """`asked` maps a chunk to the examples that must remain for it, `per_fact` is the same for a fact and direction."""
        shuffled = sorted((fact.id for fact in facts), key=lambda fact: self._dice("untaught", fact))
        untaught = frozenset(shuffled[: round(self.heldout_facts * len(facts))])
        # What is tied to a chunk alone may ask about any of its facts.
        silent = {fact.chunk for fact in facts if fact.id in untaught}
        set_aside = {
            e.id for e in examples if any(f in untaught for f in e.facts) or (not e.facts and e.chunk in silent)
        }
        pool = [e for e in examples if e.id not in set_aside]
        # Some of what is given up turns out to be a look-alike of other facts' rows: then further facts give.
        held: list[Example] = []
        wanted = self.at_least if self.share else 0
        for _ in range(_ROUNDS):
            groups = _Groups(pool, asked, per_fact)
            before = len(held)
            held = self._give(groups, wanted)
            held_ids = {e.id for e in held}
            refused = ContaminationFinder([e for e in pool if e.id not in held_ids]).reasons(held)
            kept = [e for e in held if e.id not in refused]
            if len(kept) >= self.at_least or len(held) == before:
                break
            wanted += self.at_least - len(kept)
        validation, test = self._halves(kept, facts)
        asked_anyway = self._questions([e for e in examples if e.id in set_aside])
        unasked = sorted(set_aside.difference(asked_anyway))
        return Split(
            train=tuple(e.id for e in pool if e.id not in held_ids),
            validation=tuple(e.id for e in validation),
            test=tuple(e.id for e in test),
            heldout_facts=tuple(sorted(untaught)),
            untaught=tuple(asked_anyway),
            refused=refused | dict.fromkeys(unasked, "its fact is held out whole (split.heldout_facts)"),
            note=self._note(len(kept), len(refused)),
        )

    def _questions(self, set_aside: Sequence[Example]) -> list[str]:
        """Up to `_PER_UNTAUGHT` questions on each fact that no row teaches: what the model says to them is invented."""
        by_fact: dict[str, list[Example]] = defaultdict(list)
        for example in set_aside:
            if example.angle not in NEVER_HELD_OUT:
                by_fact[example.form[0]].append(example)
        groups = [sorted(group, key=lambda e: self._dice(e.id)) for group in by_fact.values()]
        return [e.id for group in groups for e in group[:_PER_UNTAUGHT]]

    def _give(self, groups: "_Groups", wanted: int) -> list[Example]:
        """A form from each of a share of the facts; then further facts give, until `wanted` examples can be held out."""
        order = sorted(groups.by_fact, key=lambda fact: self._dice("give", fact))
        held: list[Example] = []
        gave = sound = 0
        for fact in order:
            if gave >= self.share * len(order) and sound >= wanted:
                break
            forms = sorted(groups.by_fact[fact], key=lambda form: self._dice("form", *form))
            if form := next(filter(groups.may_give, forms), None):
                sound += len(groups.sound(form))
                held += groups.give(form)
                gave += 1
        return held

    def _dice(self, *parts: str) -> str:
        """A fixed pseudo-random key, so that a fact's fate does not depend on the others."""
        return hashlib.sha256("\x1f".join((str(self.seed), *parts)).encode()).hexdigest()

    def _halves(self, held: Sequence[Example], facts: Sequence[Fact]) -> tuple[list[Example], list[Example]]:
        """Halved by fact, so that no fact is in both the validation and the test half; the halves differ by one fact at most.

        Where an example is tied to several facts or to a chunk, all the facts that it may ask about stay together.
        """
        chunk_of = {fact.id: fact.chunk for fact in facts}
        whole = {e.chunk for e in held if len(e.facts) != 1}
        whole |= {chunk_of[f] for e in held if len(e.facts) > 1 for f in e.facts if f in chunk_of}
        tied = {chunk: {chunk} for chunk in whole}  # a chunk kept whole -> the chunks that go where it goes
        for e in held:
            touched = {e.chunk, *(chunk_of.get(f, "") for f in e.facts)} & tied.keys()
            joined = set().union(*(tied[chunk] for chunk in touched))
            tied |= dict.fromkeys(joined, joined)

        def bundle(e: Example) -> str:
            chunk = chunk_of.get(e.facts[0], e.chunk) if e.facts else e.chunk
            return f"chunk:{min(tied[chunk])}" if chunk in tied else e.form[0]

        size = Counter(bundle(e) for e in {e.form[0]: e for e in held}.values())
        validation: set[str] = set()
        balance = 0  # facts of the validation half, less those of the test half
        for name in sorted(size, key=lambda name: (-size[name], self._dice("half", name))):
            if balance <= 0:
                validation.add(name)
            balance += size[name] if balance <= 0 else -size[name]
        return [e for e in held if bundle(e) in validation], [e for e in held if bundle(e) not in validation]

    def _note(self, held: int, look_alikes: int) -> str:
        if held >= max(1, self.at_least):
            return ""
        if held:
            return f"Only {held} example{'s' * (held > 1)} could be held out ({self.at_least} asked by split.at_least): a small text."
        if not self.share:
            lacking = "Nothing is held out, because split.share=0."
        elif look_alikes:
            lacking = "Nothing could be held out: each phrasing is too similar to one that is trained on."
        else:
            lacking = "No held-out phrasing exists: each fact has one phrasing only."
        return f"{lacking} A dev= share of your questions can tell when to end the training."


class _Groups:
    """The examples by fact and form, and what a fact can spare. A tie to several facts or none counts as its chunk's."""

    def __init__(self, examples: Sequence[Example], asked: Mapping[str, int], per_fact: int):
        self.by_fact: dict[str, dict[Form, list[Example]]] = defaultdict(lambda: defaultdict(list))
        for example in examples:
            self.by_fact[example.form[0]][example.form].append(example)
        self.per_fact = per_fact
        self.asked = asked
        self.in_chunk = Counter(example.chunk for example in examples)

    def may_give(self, form: Form) -> bool:
        fact, angle, direction = form
        forms = self.by_fact[fact]
        staying = sum(len(forms[other]) for other in forms if other[2] == direction and other != form)
        if angle in NEVER_HELD_OUT or staying < max(1, self.per_fact):
            return False
        for chunk, leaving in Counter(example.chunk for example in forms[form]).items():
            if self.in_chunk[chunk] - leaving < self.asked.get(chunk, 0) <= self.in_chunk[chunk]:
                return False
        return bool(self.sound(form))

    def sound(self, form: Form) -> list[Example]:
        """Those examples of the form that no sibling of the same fact gives away."""
        forms = self.by_fact[form[0]]
        siblings = [example for other, group in forms.items() if other != form for example in group]
        leaks = ContaminationFinder(siblings).reasons(forms[form])
        return [example for example in forms[form] if example.id not in leaks]

    def give(self, form: Form) -> list[Example]:
        examples = self.by_fact[form[0]][form]
        self.in_chunk.subtract(example.chunk for example in examples)
        return examples


OLD_KEYS = {"choose": "validation", "judge": "test"}  # of split.json up to 2026-11-27


def read_split(file: Path) -> Split:
    """A run's split.json."""
    values: dict[str, Any] = {
        OLD_KEYS.get(key, key): tuple(value) if isinstance(value, list) else value
        for key, value in read_object(file).items()
    }
    try:
        return Split(**values)
    except TypeError as error:
        raise refused(file, f"this is not a split of a run: {error}") from None
