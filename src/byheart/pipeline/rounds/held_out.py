"""What a further round may train on: nothing that is held out, and nothing that looks like it."""

from collections.abc import Sequence
from functools import cached_property

from byheart.data.contamination import ContaminationFinder
from byheart.pipeline.prepare_data import PreparedData
from byheart.records import Example

FORM = "it asks in a way that is held out of its fact"
FACT = "its fact is held out whole (split.heldout_facts)"
ALIKE = "it looks like an example that is held out"
KNOWN = "it exists already"


class HeldOut:
    """The forms of a split that are never trained: validation, test, and questions on facts that are held out whole."""

    def __init__(self, data: PreparedData):
        split = data.split
        self.data = data
        self.examples = data.examples_of((*split.validation, *split.test, *split.untaught))
        self.forms = frozenset(example.form for example in self.examples)
        self._facts = frozenset(split.heldout_facts)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(example.id for example in self.data.examples)

    def reasons(self, examples: Sequence[Example]) -> dict[str, str]:
        """Example id -> why it may not be trained, for those that may not."""
        found = {example.id: reason for example in examples if (reason := self._reason(example))}
        alike = ContaminationFinder([e for e in examples if e.id not in found]).gives_away(self.examples)
        return found | dict.fromkeys(alike, ALIKE)

    def _reason(self, example: Example) -> str:
        if example.id in self._known:
            return KNOWN
        if self._facts.intersection(example.facts):
            return FACT
        return FORM if example.form in self.forms else ""
