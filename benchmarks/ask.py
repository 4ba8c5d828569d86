"""How long until the first token of an answer: `byheart ask` beside importing, loading and generating by hand.

python benchmarks/ask.py RUN ["question"] [times]

Both start a process, import, load the base with the adapter, and generate greedily in the run's precision; the clock
stops at the first text on standard output. Runs alternate, after one of each that warms the disk's cache; medians are shown.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

BY_HAND = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer
base, adapter, dtype, question = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype))
model = PeftModel.from_pretrained(model, adapter).eval()
turns = [{"role": "user", "content": question}]
rows = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
model.generate(**rows, max_new_tokens=512, do_sample=False, streamer=TextStreamer(tokenizer, skip_prompt=True))
"""


def first_text_s(command: list[str]) -> float:
    """Seconds from the start of the process to the first letter of its output; the process is then ended."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while (letter := process.stdout.read(1)).isspace():
            pass
        seconds = time.perf_counter() - began
        process.kill()
    if not letter:
        raise SystemExit(f"no answer came from: {' '.join(command[:4])} ...")
    return seconds


def main() -> None:
    from byheart.use.find_run import trained_run

    run = trained_run(sys.argv[1])
    answers = [json.loads(line) for line in (run.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    question = sys.argv[2] if sys.argv[2:] else next(row["question"] for row in answers if row.get("tuned"))
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    _, dtype = run.trainer.place()
    base = str((run.started_in / run.base.find()).absolute())
    byheart = str(Path(sys.executable).with_name("byheart"))
    commands = {
        "byheart ask": [byheart, "ask", str(run.folder), question],
        "by hand": [sys.executable, "-c", BY_HAND, base, str(run.weights), dtype, question],
    }
    for command in commands.values():
        first_text_s(command)
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            found[name].append(first_text_s(command))
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    print(f"{median['byheart ask'] / median['by hand']:.2f} times as long as by hand (asked: at most 1.30)")
    for name, seconds in found.items():
        print(f"{median[name]:6.2f} s   {min(seconds):.2f} to {max(seconds):.2f}   {name}, {dtype}, first token")


if __name__ == "__main__":
    main()
