"""200 probes answered by the embedded model as an evaluation asks them, beside `transformers.pipeline` one by one.

    python benchmarks/scoring_speed.py [--probes 200] [--precision bfloat16] [--threads 1]

The probes are questions of the rules on the ham-radio text, drawn at random. Both ways have the same chat template, greedy
decoding and limit of new tokens. Seconds are CPU time: other work on the machine does not count.
"""

import argparse
import random
import time
from pathlib import Path
from statistics import mean

import torch
from transformers import pipeline

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.evaluation.recall import Recall
from byheart.expansion.base import Source
from byheart.expansion.rules.rules import Rules
from byheart.model.base_model import BaseModel
from byheart.model.batching import find_batching
from byheart.model.language import LanguageModel
from byheart.records import Probe

TEXT = Path(__file__).parents[1] / "examples" / "ham_radio" / "amateur_radio_rules.md"


def probes_of(path: Path, count: int) -> list[Probe]:
    (document,) = load_documents([str(path)]).documents
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    examples = Rules().expand(Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))).examples
    drawn = random.Random(0).sample(sorted(examples, key=lambda example: example.id), count)
    return [Probe(example.id, example.question, (example.answer,)) for example in drawn]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    probes, recall = probes_of(TEXT, options.probes), Recall()
    base = BaseModel()
    model, tokenizer = base.load(options.precision, "cpu")
    chat = base.chat(model, tokenizer)
    language = LanguageModel(model, chat, find_batching(model, chat)[0])
    ask = pipeline("text-generation", model=model, tokenizer=tokenizer)
    settings = {"max_new_tokens": recall.max_new_tokens, "do_sample": False, "return_full_text": False}
    turns = [[{"role": "user", "content": probe.question}] for probe in probes]
    ask(turns[0], **settings)  # once, not counted

    began = time.process_time()
    scored = recall.score(language, probes)
    ours = time.process_time() - began
    began = time.process_time()
    said = {p.id: ask(turn, **settings)[0]["generated_text"].strip() for p, turn in zip(probes, turns, strict=True)}
    theirs = time.process_time() - began

    texts = {name: answer.text for name, answer in scored.answers.items()}
    equal = mean(texts[name] == text for name, text in said.items())
    tokens = [sum(len(chat.tokens(text)) for text in some.values()) for some in (texts, said)]
    print(
        f"{theirs / ours:.2f} times faster: {len(probes)} probes, {options.precision}, {options.threads} thread: "
        f"{ours:.1f} s of CPU against {theirs:.1f} s of transformers.pipeline one by one; {equal:.0%} of the answers are "
        f"equal, {tokens[0]} and {tokens[1]} tokens"
    )


if __name__ == "__main__":
    main()
