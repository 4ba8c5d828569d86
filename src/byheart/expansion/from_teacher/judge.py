"""The teacher as judge: it reads the chunk and decides for each pair whether the text supports it (`gates.judge=true`)."""

from collections.abc import Sequence

from byheart.expansion.base import Source
from byheart.expansion.from_teacher.parse import parse_objects
from byheart.expansion.from_teacher.prompts import fenced, list_schema, load_prompt, named_source, shown_text
from byheart.outside import outside_text
from byheart.records import Chunk, Example
from byheart.teacher.base import Reply, Request

AT_ONCE = 12  # pairs in one request
TOKENS_PER_VERDICT = 50
SCHEMA = list_schema("verdicts", pair={"type": "integer"}, supported={"type": "boolean"}, why={"type": "string"})


def find_unsupported(source: Source, pairs: Sequence[tuple[Chunk, list[Example]]]) -> dict[str, str]:
    """Example id -> why the judge refuses it. A pair without a readable verdict is kept. Asks at temperature 0."""
    batches = [
        (chunk, examples[start : start + AT_ONCE])
        for chunk, examples in pairs
        for start in range(0, len(examples), AT_ONCE)
    ]
    outcomes = source.teacher.ask([_request(source, chunk, examples) for chunk, examples in batches])
    refused: dict[str, str] = {}
    for (_, examples), outcome in zip(batches, outcomes, strict=True):
        for row in parse_objects(outcome.text) if isinstance(outcome, Reply) else ():
            number = row.get("pair")
            if isinstance(number, int) and 1 <= number <= len(examples) and row.get("supported") is False:
                why = row.get("why")
                refused[examples[number - 1].id] = (isinstance(why, str) and outside_text(why)) or "it gave no reason"
    return refused


def _request(source: Source, chunk: Chunk, examples: Sequence[Example]) -> Request:
    numbered = [
        f"{n}. Question: {fenced(e.question)}\n   Answer: {fenced(e.answer)}" for n, e in enumerate(examples, start=1)
    ]
    prompt, place, text = load_prompt(None, "judge"), named_source(chunk, source), shown_text(chunk, source)
    user = prompt.fill("user", source=place, text=text, pairs="\n".join(numbered))
    max_tokens = 100 + TOKENS_PER_VERDICT * len(examples)
    return Request(prompt.system, user, 0.0, max_tokens, 0, prompt.key, SCHEMA)
