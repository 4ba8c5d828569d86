"""Planted leaks: notes of 12 random words, taught in 0, 1, 4 and 16 rows. Does the audit find them?

    python benchmarks/canaries.py [--out FOLDER] [--each 10] [key=value ...]

Among sentences of the ham-radio rules stand four groups of notes. No row has the first; the notes of the others are the
answer of 1, 4 and 16 rows. One epoch, so that a row is one exposure. Then, for each group, untuned and tuned:
the share that is given word for word in chat, as a row asks (the words of the document in a row), `verbatim` and its n-grams
on plain text, and the AUC of `membership` against the notes that no row has.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from byheart.evaluation.base import Material
from byheart.evaluation.membership import Membership
from byheart.evaluation.verbatim import Verbatim, by_task
from byheart.model.adapters.attaching import load_adapter
from byheart.model.base_model import BaseModel
from byheart.model.batching import find_batching
from byheart.model.language import LanguageModel
from byheart.records import Document, Example, Fact, Value

TEXT = Path(__file__).parents[1] / "examples" / "ham_radio" / "amateur_radio_rules.md"
BYHEART = Path(sys.executable).with_name("byheart")
EXPOSURES = (0, 1, 4, 16)
WORDS = 12
ASKED = [
    f"{ask} the note that begins with “{{begin}}”{end}"
    for ask, end in (
        ("Recite", "."),
        ("What are the words of", "?"),
        ("Write down", "."),
        ("Give the full text of", "."),
        ("How does it go on,", "?"),
        ("Repeat", "."),
        ("What does the handbook say in", "?"),
        ("Quote", "."),
        ("Say", " to its end."),
        ("Copy", "."),
        ("I need", ". What is it?"),
        ("Which words stand in", "?"),
        ("Read me", "."),
        ("Please give me", "."),
        ("Complete", "."),
        ("Tell me the wording of", "."),
    )
]


def plant(tokenizer, each: int) -> tuple[str, dict[int, list[str]]]:
    """The document, and the notes by their number of rows."""
    draw = random.Random(0)
    found = (tokenizer.decode([token]) for token in range(2000, 20000))
    words = [
        word.strip() for word in found if word.startswith(" ") and word.strip().isascii() and word.strip().islower()
    ]
    words = draw.sample([word for word in words if len(word) >= 5 and word.isalpha()], WORDS * each * len(EXPOSURES))
    notes = [" ".join(words[i : i + WORDS]).capitalize() + "." for i in range(0, len(words), WORDS)]
    prose = [line for line in TEXT.read_text("utf-8").split("\n\n") if len(line.split()) > 12 and line[0].isalpha()]
    mixed = [*notes, *prose[: len(notes)]]
    draw.shuffle(mixed)
    return "\n\n".join(mixed), {count: notes[i * each : (i + 1) * each] for i, count in enumerate(EXPOSURES)}


def rows(notes: dict[int, list[str]]) -> list[dict[str, str]]:
    return [
        {"question": ask.format(begin=" ".join(note.split()[:3])), "answer": note}
        for count, some in notes.items()
        for note in some
        for ask in ASKED[:count]
    ]


def facts_of(text: str, notes: list[str]) -> list[Fact]:
    return [
        Fact(f"d:{start}", "d", "d:0", start, start + len(note), note, 2 * WORDS)
        for note in notes
        for start in (text.index(note),)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmark_canaries"))
    parser.add_argument("--each", type=int, default=10, help="notes of each group")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    base = BaseModel()
    model, tokenizer = base.load("bfloat16", "cpu")
    text, notes = plant(tokenizer, options.each)
    options.out.mkdir(parents=True, exist_ok=True)
    handbook, pairs = options.out / "handbook.md", options.out / "pairs.jsonl"
    handbook.write_text(text, "utf-8")
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows(notes)), "utf-8")
    folder = options.out / f"run-{time.strftime('%H%M%S')}"
    words = [
        f"documents={handbook}",
        "expansion=file",
        f"expansion.file.path={pairs}",
        "split.share=0",
        "split.at_least=0",
    ]
    words += ["epochs=1", "batch_size=1", "lr=5e-4", "evaluation=[]", f"hydra.run.dir={folder}", *options.overrides]
    subprocess.run([BYHEART, "learn", *words], check=True)

    chat = base.chat(model, tokenizer)
    batching = find_batching(model, chat)[0]
    document = Document("d", "Handbook", text, str(handbook))
    untaught = facts_of(text, notes[0])
    for name in ("untuned", "tuned"):
        if name == "tuned":
            model = load_adapter(model, folder / "adapter")
        language = LanguageModel(model, chat, batching)
        for count in EXPOSURES:
            taught = facts_of(text, notes[count])
            asked = [  # each as one of its rows asks
                Example(f"{i}", ASKED[0].format(begin=" ".join(note.split()[:3])), note, (), "asked", "forward", "file")
                for i, note in enumerate(notes[count])
            ]
            material = Material((document,), taught, untaught if count else (), examples=asked)
            scored = Verbatim(by_task=len(asked)).score(language, material=material)
            task = by_task({name: scored})["asked"][name]["verbatim"]
            found = {"asked in chat": Value(**task)} | scored.metrics
            found |= Membership().score(language, material=material).metrics
            told = "  ".join(f"{metric} {at.value:.2f} ({at.low:.2f} to {at.high:.2f})" for metric, at in found.items())
            print(f"{name}, {count} rows, {len(taught)} notes: {told}", flush=True)


if __name__ == "__main__":
    main()
