"""What an expansion that asks a teacher promises beside the contract of all expansions."""

from collections import Counter
from dataclasses import replace

import pytest

from byheart.errors import UserError
from byheart.expansion.base import Source, TeacherExpansion
from byheart.expansion.from_teacher.first_answers import ALIKE
from byheart.teacher.base import Failure, Reply
from contracts.expansion_contract import ExpansionContract
from expansion.scripted import Scripted, badly, randomly, well


class AskingContract(ExpansionContract):
    """A member's test class gives `expansion` and `text_source`."""

    def text_source(self) -> Source:
        raise AssertionError("a member's test class says what is tested")

    def source(self) -> Source:
        return self.taught()

    def taught(self, script=well, **options) -> Source:
        return replace(self.text_source(), teacher=Scripted(script, **options))

    def test_it_says_beforehand_what_it_will_ask_and_asks_it(self):
        source = self.source()
        expansion = self.expansion()
        assert isinstance(expansion, TeacherExpansion)
        announced = expansion.requests(source)
        assert announced
        assert not source.teacher.asked
        expansion.expand(source)
        asked = [_key(request) for request in source.teacher.asked]
        assert {_key(request) for request in announced} <= set(asked)
        first = [key for key in dict.fromkeys(asked) if key[-1] < 1000]
        assert first == [_key(request) for request in announced]

    def test_requests_on_one_chunk_share_their_beginning_and_stand_together(self):
        source = self.source()
        users = [request.user for request in self.expansion().requests(source)]
        chunks = [next(c.id for c in source.chunks if c.text in user) for user in users]
        assert [chunk for chunk, _ in _runs(chunks)] == list(dict.fromkeys(chunks))
        for chunk in source.chunks:
            own = [user for user in users if chunk.text in user]
            heads = {user[: user.index(chunk.text) + len(chunk.text)] for user in own}
            assert len(heads) <= 1

    def test_every_request_carries_the_version_of_its_prompt(self):
        assert all(request.prompt_version.split()[1] for request in self.expansion().requests(self.source()))

    @pytest.mark.parametrize("script", [well, badly, randomly])
    def test_everything_received_is_kept_or_refused_with_a_reason(self, script):
        source = self.taught(script)
        written = self.expansion().expand(source)
        received = Counter(e.chunk for e in written.examples) + Counter(r.example.chunk for r in written.rejected)
        assert set(received) <= {chunk.id for chunk in source.chunks}
        assert all(refusal.reason for refusal in written.rejected)
        assert sum(tally.requests for tally in written.tallies.values()) >= len(self.expansion().requests(source))
        for chunk in source.chunks:
            floor = self.expansion().asked_of(chunk)
            have = sum(e.chunk == chunk.id for e in written.examples)
            assert have >= floor or any(chunk.id in line for line in written.short), chunk.id

    def test_a_teacher_that_never_answers_ends_it_after_a_few_requests(self):
        source = self.taught(outcome=lambda request, text: Failure("500 from the server, 6 times"))
        with pytest.raises(UserError, match="500 from the server"):
            self.expansion().expand(source)
        assert len(source.teacher.asked) == ALIKE

    def test_a_teacher_that_answers_no_more_leaves_an_account(self):
        answered = []

        def outcome(request, text):
            answered.append(text)
            return Reply(text, 9, 9, False, "stop") if len(answered) == 1 else Failure("500 from the server, 6 times")

        source = self.taught(outcome=outcome)
        written = self.expansion().expand(source)
        assert written.short and any(tally.failed for tally in written.tallies.values())
        taught = {fact for example in written.examples for fact in example.facts}
        reasons = [why for fact, why in written.uncovered.items() if fact not in taught]
        assert reasons and all("500 from the server" in why for why in reasons)

    def test_a_gate_that_is_off_refuses_nothing(self):
        from byheart.expansion.filters.checks import UNSUPPORTED, Filters

        def invents(user, temperature, attempt=0):
            return well(user, temperature, attempt).replace(".", ", said Zarathustra in 1731.")

        strict = self.expansion().expand(self.taught(invents))
        assert UNSUPPORTED in {refusal.reason for refusal in strict.rejected}
        loose = self.expansion(gates=Filters(support=None)).expand(self.taught(invents))
        assert UNSUPPORTED not in {refusal.reason for refusal in loose.rejected}

    def test_a_reply_cut_at_its_limit_is_asked_again_with_more_room(self):
        def cut(request, text):
            kept = text if request.max_tokens > least else text[: len(text) // 3]
            return Reply(kept, 1, 1, False, "stop" if kept == text else "length")

        least = max(request.max_tokens for request in self.expansion().requests(self.source()))
        source = self.taught(outcome=cut)
        self.expansion().expand(source)
        assert max(request.max_tokens for request in source.teacher.asked) > least


def _key(request):
    return (request.user, request.temperature, request.max_tokens, request.attempt)


def _runs(values):
    runs = []
    for value in values:
        if not runs or runs[-1][0] != value:
            runs.append([value, 0])
        runs[-1][1] += 1
    return runs
