"""What every expansion promises; a member's test class inherits it and gives `expansion` and `source`."""

from collections import Counter

from byheart.expansion.base import Expansion, Source
from byheart.records import ANGLES, FORWARD, NEITHER, REVERSE


class ExpansionContract:
    def expansion(self, **options) -> Expansion:
        raise AssertionError("a member's test class says what is tested")

    def source(self) -> Source:
        raise AssertionError("a member's test class says what is tested")

    def test_the_same_options_give_the_same_examples_in_the_same_order(self):
        assert self.expansion().expand(self.source()) == self.expansion().expand(self.source())

    def test_every_example_is_whole_and_unique(self):
        examples = self.expansion().expand(self.source()).examples
        assert examples
        assert len({e.id for e in examples}) == len(examples)
        for e in examples:
            assert e.question.strip() and e.answer.strip(), e
            assert e.angle in ANGLES and e.direction in (FORWARD, REVERSE, NEITHER), e

    def test_every_example_names_facts_and_a_chunk_that_exist(self):
        source = self.source()
        facts, chunks = {f.id for f in source.facts}, {c.id for c in source.chunks}
        for e in self.expansion().expand(source).examples:
            assert set(e.facts) <= facts and e.chunk in chunks

    def test_a_fact_without_an_example_is_listed_with_its_reason(self):
        source = self.source()
        written = self.expansion().expand(source)
        taught = {fact for e in written.examples for fact in e.facts}
        for fact in source.facts:
            assert fact.id in taught or written.uncovered[fact.id]

    def test_max_examples_wins_over_the_floors_and_the_shortfall_is_named(self):
        source = self.source()
        written = self.expansion(max_examples=10).expand(source)
        assert len(written.examples) == 10
        assert any("max_examples=10" in line for line in written.short)

    def test_max_examples_drops_round_robin_over_facts(self):
        source = self.source()
        limit = len({f for e in self.expansion().expand(source).examples for f in e.facts})
        written = self.expansion(max_examples=limit).expand(source)
        most = Counter(fact for e in written.examples for fact in e.facts)
        assert max(most.values()) == 1
