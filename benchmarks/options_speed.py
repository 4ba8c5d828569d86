"""Options of an exam scored in batches across the questions, beside one question at a time.

    python benchmarks/options_speed.py [--questions examples/ham_radio/questions.jsonl] [--precision bfloat16] [--rounds 2]

The embedded model scores each option with its question and without any. Both ways are taken in turn; seconds are CPU time
on a CPU (other work on the machine does not count) and wall time elsewhere, the least of the rounds.
"""

import argparse
import time

import torch

from byheart.evaluation.questions import load_questions
from byheart.model.base_model import BaseModel
from byheart.model.batching import find_batching
from byheart.model.language import LanguageModel


def one_at_a_time(model, asked):
    return [model.likelihoods([each])[0] for each in asked]


def in_batches(model, asked):
    return model.likelihoods(asked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", default="examples/ham_radio/questions.jsonl")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    probes = [probe for probe in load_questions(options.questions) if probe.options]
    base = BaseModel()
    model, tokenizer = base.load(options.precision, options.device)
    chat = base.chat(model, tokenizer)
    language = LanguageModel(model, chat, find_batching(model, chat)[0])
    asked = [(question, probe.options) for probe in probes for question in (probe.question, "")]
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    seconds, found = {}, {}
    for _ in range(options.rounds):
        for way in (one_at_a_time, in_batches):
            started = clock()
            found[way] = way(language, asked)
            seconds[way] = min(clock() - started, seconds.get(way, float("inf")))
    apart = max(
        abs(one[0] - other[0]) / one[1]
        for several in zip(*found.values(), strict=True)
        for one, other in zip(*several, strict=True)
    )
    slow, fast = seconds.values()
    print(
        f"{len(probes)} questions, {sum(len(probe.options) for probe in probes)} options, {language.batching.options}, "
        f"{options.precision} on {options.device}: {slow:.1f} s one question at a time, {fast:.1f} s in batches, "
        f"{slow / fast:.2f} times faster; at most {apart:.1e} nats a token apart"
    )


if __name__ == "__main__":
    main()
