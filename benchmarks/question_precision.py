"""Of the questions that the rules read off sentences, how many are grammatical, answerable from the text alone, and right?

    python benchmarks/question_precision.py
    python benchmarks/question_precision.py FILE ... [draw=25] [seed=0]

Without a file it prints, by text and by family, the verdicts recorded in `benchmarks/questions/verdicts.jsonl`, and how
many of those pairs the rules still write. The verdicts are one strict reading of 100 drawn questions by the author of the
rules, on four texts that were written for it and first read after the code was frozen. Each is data, not a computation.
What that reading found was mended afterwards, so the four texts are development texts since.
`drawn_2026-11-28.jsonl` holds the verdicts of six later draws with the reasons: three from the ham-radio rules (by seed),
three from twelve further texts. Each was read once, before its faults were mended.

With files it draws that many asked questions from each and prints them by family, for a reader to judge.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.rules import by_kind
from byheart.expansion.rules.rules import Rules

FOLDER = Path(__file__).parent / "questions"


def ask(path: Path) -> list[tuple[str, str, str, str]]:
    """(family, question, answer, statement) of all examples that were read off a sentence, in the order of the text."""
    (document,) = load_documents([str(path)]).documents
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    source = Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))
    families: dict[tuple[str, str], str] = {}
    draft_of = by_kind._draft

    def recorded(one, place):
        draft = draft_of(one, place)
        families.setdefault((draft.subject, draft.answer.strip()), one.target.split(":")[0])
        return draft

    by_kind._draft = recorded
    try:
        examples = Rules().expand(source).examples
    finally:
        by_kind._draft = draft_of
    said = {
        fact.id: " ".join(f"{source.lead_ins.get(fact.id, '')} {fact.text} {fact.closing}".split()) for fact in facts
    }
    return [
        (families[example.subject, example.answer], example.question, example.answer, said[example.facts[0]])
        for example in examples
        if (example.subject, example.answer) in families
    ]


def print_for_a_reader(files: list[Path], draw: int, seed: int) -> None:
    for path in files:
        asked = ask(path)
        drawn = random.Random(seed).sample(asked, min(draw, len(asked)))
        print(f"\n{path.name}: {len(drawn)} of {len(asked)} asked")
        for family, question, answer, statement in sorted(drawn):
            print(f"\n  {family:<12} {question}\n  {'':<12} {answer}\n  {'':<12} [{statement}]")


def print_verdicts() -> None:
    verdicts = [json.loads(line) for line in (FOLDER / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()]
    right = sum(verdict["right"] for verdict in verdicts)
    written = {name: {row[1:3] for row in ask(FOLDER / name)} for name in sorted({v["text"] for v in verdicts})}
    kept = [v for v in verdicts if (v["question"], v["answer"]) in written[v["text"]]]
    print(f"{right} of {len(verdicts)} right, as read once; {len(kept)} of them are still written,", end=" ")
    print(f"{sum(v['right'] for v in kept)} right and {sum(not v['right'] for v in kept)} wrong")
    for key in ("text", "family"):
        counts = Counter(verdict[key] for verdict in verdicts)
        good = Counter(verdict[key] for verdict in verdicts if verdict["right"])
        print(f"\nby {key}: " + ", ".join(f"{name} {good[name]} of {count}" for name, count in counts.most_common()))
    print()
    for verdict in verdicts:
        if not verdict["right"]:
            print(f"wrong ({verdict['why']}): {verdict['question']} {verdict['answer']}")


if __name__ == "__main__":
    settings = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    named = [Path(word) for word in sys.argv[1:] if "=" not in word]
    if named:
        print_for_a_reader(named, int(settings.get("draw", 25)), int(settings.get("seed", 0)))
    else:
        print_verdicts()
