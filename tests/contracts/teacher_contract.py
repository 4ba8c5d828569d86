"""What every teacher promises. A new member inherits this suite, says how to build itself, and how to count its work."""

import os
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from byheart.teacher.base import Failure, Progress, Reply, Request, Teacher

CONF = Path(__file__).parents[2] / "conf" / "teacher"
KEY = "secret-5f0a9c7e-not-to-be-found"


def requests(count: int = 5, temperature: float = 0.6) -> list[Request]:
    return [Request("You write questions.", f'Text {n}: Ünïcode 東京 {{}} \\ "', temperature, 12) for n in range(count)]


class TeacherContract:
    def make(self) -> Teacher:
        """A teacher that answers every request; `cache` and `key_in_env` are in place."""
        raise NotImplementedError("a member's test class says how to build it")

    def sent(self) -> int:
        """How many requests were sent (or computed) so far."""
        raise NotImplementedError("a member's test class counts what it sends")

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    @pytest.fixture(autouse=True)
    def key_in_env(self, monkeypatch) -> None:
        monkeypatch.setenv("TEACHER_KEY", KEY)
        monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def test_every_request_gets_an_outcome_in_its_place(self):
        asked = requests()
        outcomes = self.make().ask(asked)
        assert len(outcomes) == len(asked)
        assert all(isinstance(outcome, Reply) and not outcome.cached for outcome in outcomes)
        assert outcomes[2] == replace(self.make().ask([asked[2]])[0], cached=False)

    def test_what_was_answered_is_never_sent_again(self):
        first = self.make().ask(requests(4))
        before = self.sent()
        again = self.make().ask(requests(6))
        assert self.sent() == before + 2
        assert [replace(reply, cached=False) for reply in again[:4]] == first
        assert [reply.cached for reply in again] == [True] * 4 + [False] * 2

    def test_a_reply_is_handed_out_after_it_was_saved(self):
        seen: list[int] = []

        def leave(index: int, reply: Reply) -> None:
            seen.append(index)
            if len(seen) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.make().ask(requests(5), leave)
        again = self.make().ask(requests(5))
        assert all(again[index].cached for index in seen)

    def test_equal_requests_are_sent_once(self):
        outcomes = self.make().ask([*requests(2), *requests(2)])
        assert self.sent() == 2
        assert [reply.text for reply in outcomes[:2]] == [reply.text for reply in outcomes[2:]]

    @pytest.mark.parametrize(
        "change",
        [
            {"user": "x"}, {"system": "x"}, {"temperature": 0.7}, {"max_tokens": 11}, {"attempt": 1},
            {"prompt_version": "2"}, {"schema": {"type": "object"}},
        ],
    )  # fmt: skip
    def test_whatever_changes_the_answer_asks_anew(self, change):
        (request,) = requests(1)
        self.make().ask([request])
        assert not self.make().ask([replace(request, **change)])[0].cached

    def test_progress_adds_up(self):
        told: list[Progress] = []
        self.make().ask(requests(2))
        self.make().ask(requests(5), on_progress=told.append)
        assert [p.done for p in told] == sorted(p.done for p in told)
        last = told[-1]
        assert (last.total, last.done, last.cached, last.failed, last.in_flight) == (5, 5, 2, 0, 0)
        assert last.output_tokens > 0

    def test_the_estimate_sends_nothing_and_knows_the_cache(self):
        estimate = self.make().estimate(requests(5))
        assert (estimate.requests, estimate.cached, self.sent()) == (5, 0, 0)
        assert estimate.input_tokens > 5 * 5 and estimate.output_tokens == 5 * 12
        self.make().ask(requests(3))
        assert self.make().estimate(requests(5)).cached == 3

    def test_nothing_asked_is_nothing_sent(self):
        assert self.make().ask([]) == [] and self.sent() == 0

    def test_the_key_is_nowhere(self, cache):
        teacher = self.make()
        replies = teacher.ask(requests(3))
        assert KEY not in f"{teacher!r} {teacher.fingerprint} {replies!r}"
        for file in _files(cache.parent):
            assert KEY.encode() not in file.read_bytes(), file

    def test_sound_options_have_no_problems(self):
        assert not self.make().problems()

    def test_options_are_frozen_and_compare_by_value(self):
        assert self.make() == self.make()
        with pytest.raises(FrozenInstanceError):
            setattr(self.make(), fields(self.make())[0].name, None)

    def test_its_yaml_names_every_option_with_the_same_default(self):
        kind = type(self.make())
        text = (CONF / f"{kind.__module__.rpartition('.')[2]}.yaml").read_text()
        head, *lines = text.splitlines()
        assert head.startswith("# ") and len(head) < 80
        assert all(" # " in line for line in lines if not line.startswith("_target_")), "each option has its help"
        options = yaml.safe_load(text)
        module, _, name = options.pop("_target_").rpartition(".")
        assert options.keys() == {each.name for each in fields(kind)}
        needed = {name: "x" for name, value in options.items() if value == "???"}
        assert getattr(import_module(module), name)(**{**options, **needed}) == kind(**needed)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def only_replies(outcomes: list[Reply | Failure]) -> list[Reply]:
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert not failures, failures
    return [outcome for outcome in outcomes if isinstance(outcome, Reply)]
