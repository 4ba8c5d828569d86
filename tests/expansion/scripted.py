"""A teacher without a model: it reads its request as a model would, and answers well, badly or randomly, by a script."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from byheart.teacher.base import Estimate, Failure, Progress, Reply, Request

ITEM = re.compile(r"^\d+\. fact (\d+), (\w+)$", re.M)
FACT = re.compile(r"^(\d+)\. (.+)$", re.M)

FILLERS = (
    "truly really plainly exactly briefly today strictly often usually always never seldom maybe surely simply fully "
    "partly nearly mostly hardly openly quietly loudly gladly sadly slowly quickly rightly wrongly newly"
).split()


def well(user: str, temperature: float, attempt: int = 0) -> str:
    """What a good teacher would say: the pairs that were asked for, the same ones on the lower rungs."""
    if "Rewrite it as" in user:
        text = user.split("<text>\n")[1].split("\n</text>")[0]
        luck = dice("rewrite", user, temperature, attempt)
        return f"To put it {luck.choice(FILLERS)} and {luck.choice(FILLERS)}: {text}"
    if "The pairs:" in user:
        count = len(re.findall(r"^\d+\. Question:", user, re.M))
        return json.dumps({"verdicts": [{"pair": n, "supported": True, "why": ""} for n in range(1, count + 1)]})
    facts = dict(FACT.findall(user.split("Its facts, numbered:\n")[1].split("\n\nWrite exactly")[0]))
    source = user.splitlines()[0].removeprefix("Source: ").split(" > ")[-1]
    rung = 0.0 if temperature < 0.5 else temperature
    pairs = []
    for place, (number, angle) in enumerate(ITEM.findall(user)):
        said = facts[number]
        words = [word for word in re.findall(r"\w+", said) if len(word) > 3] or said.split()
        luck = dice(place, number, angle, rung, attempt, said)
        picked = " ".join(luck.sample(words, min(4, len(words))))
        question = (
            f"{angle.title()} words {luck.choice(FILLERS)} on {picked}: what {luck.choice(FILLERS)} say {source}?"
        )
        pairs.append({"fact": [int(number)], "angle": angle, "question": question, "answer": said})
    return json.dumps({"pairs": pairs})


def badly(user: str, temperature: float, attempt: int = 0) -> str:
    """Refusals, half answers, prose, inventions and questions that point at the passage, among a few good pairs."""
    if "Its facts" not in user:
        return "No."
    luck = dice("bad", user, temperature, attempt)
    good = well(user, temperature, attempt)
    pairs = json.loads(good)["pairs"]
    for pair in pairs:
        fault = luck.randrange(8)
        if fault == 0:
            pair["answer"] = "In 1731 the emperor of Atlantis decided it by himself."
        elif fault == 1:
            pair["question"] = "What does the passage above say?"
        elif fault == 2:
            pair["answer"] = ""
        elif fault == 3:
            del pair["fact"], pair["angle"]
        elif fault == 4:
            pair["fact"] = 99
    text = json.dumps({"pairs": pairs})
    return luck.choice(
        [
            text,
            text[: len(text) * 2 // 3],
            f"<think>hm {{</think>```json\n{text}\n```",
            "I am sorry, I cannot.",
            "",
            text[1:],
        ]
    )


def randomly(user: str, temperature: float, attempt: int = 0) -> str:
    """Noise, noise around pairs, and pairs with noise inside."""
    luck = dice("random", user, temperature, attempt)
    letters = list(well(user, temperature, attempt) if luck.random() < 0.5 else "")
    for _ in range(luck.randrange(40)):
        letters.insert(luck.randrange(len(letters) + 1), luck.choice('{}[]",:\\\n“é中 \x00x'))
    return "".join(letters)


def dice(*parts: object) -> random.Random:
    return random.Random(hashlib.sha256(repr(parts).encode()).hexdigest())


@dataclass
class Scripted:
    """Answers by `script(user, temperature, attempt)`; equal requests get equal answers, as from the cache."""

    script: Callable[[str, float, int], str] = well
    outcome: Callable[[Request, str], Reply | Failure] = lambda request, text: Reply(
        text, len(request.user.split()), len(text.split()), False, "stop"
    )
    asked: list[Request] = field(default_factory=list)
    fingerprint: str = "scripted"
    answers_soon: bool = True

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        outcomes = []
        for index, request in enumerate(requests):
            self.asked.append(request)
            outcome = self.outcome(request, self.script(request.user, request.temperature, request.attempt))
            outcomes.append(outcome)
            if isinstance(outcome, Reply):
                on_reply(index, outcome)
            on_progress(Progress(len(requests), index + 1, output_tokens=7 * index, input_tokens=9 * index))
        return outcomes

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        return Estimate(len(requests), 0, 10 * len(requests), sum(r.max_tokens for r in requests), None)

    def problems(self):
        return ()
