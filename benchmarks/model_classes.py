"""What byheart does with each class of model: writes docs/model_classes.md.

    python benchmarks/model_classes.py [CLASS ...]

A tiny random model of each class in tests/zoo.py, float32, on a CPU. With names of classes only their rows are measured
anew; the page keeps the others. A cell that says "no" or names an error is a fault, unless it gives a reason.
"""

import contextlib
import platform
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import zoo  # noqa: E402
from byheart.errors import UserError  # noqa: E402
from byheart.model.adapters.adapter import Lora  # noqa: E402
from byheart.model.base_model import BaseModel  # noqa: E402
from byheart.model.batching import find_batching  # noqa: E402
from byheart.model.language import LanguageModel  # noqa: E402
from byheart.training.agreement import find_path  # noqa: E402
from byheart.training.job import Hooks, TrainJob  # noqa: E402
from byheart.training.layout import Row, lay_out  # noqa: E402
from byheart.training.loss import token_scores  # noqa: E402
from byheart.training.multi_lora.job import PackedHooks, PackedJob  # noqa: E402
from byheart.training.multi_lora.packable import why_alone  # noqa: E402
from byheart.training.multi_lora.trainer import PackedTrainer  # noqa: E402
from byheart.training.optimizer import AdamW  # noqa: E402
from byheart.training.stopping import Stopping  # noqa: E402
from byheart.training.trainer import Trainer  # noqa: E402

PAGE = ROOT / "docs/model_classes.md"
TOWNS = {"Ada": "Bern", "Otto": "Graz", "Mia": "Lyon", "Karl": "Bonn", "Nora": "Oslo", "Emil": "Rome"}
LONG = "the bridge the tower the mill the harbour the theatre the library the station the castle of"
LORA = Lora(rank=8, alpha=16)
TRAINER = Trainer(device="cpu", precision="float32")
EPOCHS = 400
FEW = 2  # epochs, where only equality is asked
HEADS = {"embedding": "last hidden states", "kept": "the model's own", "whole": "the model's own, at every token"}


def rows(tokenizer):
    """Questions and answers on the toy text; the answer of the first reaches beyond any window of the zoo."""
    made = []
    for name, town in TOWNS.items():
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": f"Where was {name} born?"}], add_generation_prompt=True, return_dict=False
        )
        answer = f"{name} was born in {town}." if made else f"{LONG} {town}."
        made.append(Row([*prompt, *tokenizer(answer).input_ids, tokenizer.eos_token_id], len(prompt)))
    return made


def own_logits(model, row):
    """Those that predict the row's targets, from the plain call."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([row.tokens])).logits[0, row.loss_from - 1 : -1].double()


def fit(model, train_job, folder, lr=1e-2, **hooks):
    stopping = Stopping(patience=None, checks_per_epoch=1)
    optimizer = AdamW(lr=lr, averaging=0, toward_base=0)
    return TRAINER.fit(model, train_job, optimizer, stopping, folder, Hooks(**hooks), keep_best=False)


def attached(base):
    model = base.load("float32", "cpu")[0]
    torch.manual_seed(0)  # after loading, which draws random numbers for some classes
    return LORA.attach(model)


def numbers(result):
    return [(point.step, point.train_loss, point.val_loss) for point in result.curve]


def layout(case):
    notes = [note.partition(":")[0] for note in case.path.notes]
    return case.path.layout + "".join(f" ({note})" for note in notes)


def difference(case):
    with torch.no_grad():
        batches = [batch for _, batch in lay_out(case.rows, case.path.layout, 0)]
        found = torch.cat([token_scores(case.model, batch, case.path.head)[0] for batch in batches])
    entropy = torch.nn.functional.cross_entropy
    own = [
        entropy(own_logits(case.model, row), torch.tensor(row.tokens[row.loss_from :]), reduction="none")
        for row in case.rows
    ]
    return f"{float((found - torch.cat(own)).abs().max()):.0e}"


def by_heart(case):
    """Trains until each answer is what the model's own greedy choice is, token by token.

    Each token of an answer counts alike: with the mean of each row the tokens of the long answer weigh an eighth of the
    others', and the random head, which stays as it is, leaves little room for logits that fit all.
    """
    case.trained = attached(case.base)
    learned = []

    def on_check(point, curve):
        learned.append(point.recall == 1)

    size = len(case.rows)
    whole = replace(case.train_job, epochs=EPOCHS, batch_size=size, schedule="linear", reduction="token_mean")
    fit(case.trained, whole, case.folder / "learn", on_check=on_check, stop_requested=lambda: any(learned))
    right = [own_logits(case.trained, row).argmax(-1).tolist() == row.tokens[row.loss_from :] for row in case.rows]
    return f"{sum(right)} of {len(right)}"


def resumes(case):
    whole = fit(attached(case.base), case.few, case.folder / "whole")

    def die(step, steps):
        if step == case.few.steps // 2:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        fit(attached(case.base), case.few, case.folder / "cut", on_step=die)
    again = fit(attached(case.base), case.few, case.folder / "cut")
    return "yes" if numbers(whole) == numbers(again) else "no"


def peft_loads(case):
    from peft import AutoPeftModelForCausalLM

    case.trained.save_pretrained(case.folder / "adapter")
    stock = AutoPeftModelForCausalLM.from_pretrained(case.folder / "adapter", dtype=torch.float32).eval()
    same = max(float((own_logits(stock, row) - own_logits(case.trained, row)).abs().max()) for row in case.rows)
    return "yes" if same < 1e-5 else f"no: logits differ by {same:.0e}"


def packs(case):
    """Two trials in a pack against the first of them alone; or why they are trained alone."""
    model, _ = case.base.load("float32", "cpu")
    if why := why_alone(model, LORA):
        return f"alone: {why}"
    options = AdamW(lr=1e-2, averaging=0, toward_base=0), Stopping(patience=None, checks_per_epoch=1)
    jobs = [
        PackedJob(name, replace(case.few, batch_size=size), LORA, *options, case.folder / "pack" / name)
        for name, size in (("a", case.few.batch_size), ("b", 2))
    ]
    results, notes = {}, []
    try:
        with PackedTrainer(model, 2, LORA.rank, LORA.targets) as trainer:
            hooks = PackedHooks(on_note=notes.append)
            trainer.stream(
                lambda: jobs.pop(0) if jobs else None, lambda job, found: results.update({job.id: found}), hooks
            )
    except UserError as error:
        return f"alone: {error.problems[0].what}"
    alone = numbers(fit(attached(case.base), case.few, case.folder / "alone"))
    off = max(
        abs(x - y)
        for one, other in zip(numbers(results["a"]), alone, strict=True)
        for x, y in zip(one, other, strict=True)
    )
    return ("in a grid" if notes else "in a line") + ("" if off < 1e-4 else f", no: losses differ by {off:.0e}")


def options(case):
    """Log-probabilities of options of a question against the plain call with question and option in one row."""
    chat = case.base.chat(case.model, case.tokenizer)
    model = LanguageModel(case.model, chat, find_batching(case.model, chat)[0])
    texts = ["Bern", "Graz and Oslo", "the town of Lyon"]
    found = [value for value, _ in model.likelihoods([("Where was Ada born?", texts)])[0]]
    prompt = chat.prompt("Where was Ada born?")
    own = []
    for text in texts:
        row = Row([*prompt, *chat.answer(text, end=False)], len(prompt))
        logits = own_logits(case.model, row).log_softmax(-1)
        own.append(float(logits.gather(1, torch.tensor(row.tokens[row.loss_from :])[:, None]).sum()))
    off = max(abs(one - other) for one, other in zip(found, own, strict=True))
    return "yes" if off < 1e-4 else f"no: differ by {off:.0e}"


COLUMNS: dict[str, Callable[[SimpleNamespace], str]] = {
    "layout": layout,
    "logits": lambda case: HEADS[case.path.head],
    "loss off by, nats": difference,
    "answers by heart": by_heart,
    "resumes": resumes,
    "stock peft loads": peft_loads,
    "packs": packs,
    "options scored": options,
}


def line(name: str, folder: Path) -> list[str]:
    case = SimpleNamespace(folder=folder, base=BaseModel(path=str(zoo.make(folder / "model", name))))
    try:
        case.model, case.tokenizer = case.base.load("float32", "cpu")
        case.rows = rows(case.tokenizer)
        case.train_job = TrainJob(case.rows, case.rows, 3, FEW, 0, "constant", "row_mean", 0)
        case.few = replace(case.train_job, epochs=FEW)
        case.path = find_path(case.model, case.rows, "packed", 0)
    except Exception as error:
        return [told(error)]
    cells = [type(case.model).__name__]
    for measure in COLUMNS.values():
        try:
            cells.append(measure(case))
        except Exception as error:
            cells.append(told(error))
    return cells


def told(error: Exception) -> str:
    text = error.problems[0].what if isinstance(error, UserError) else str(error).partition("\n")[0][:80]
    return f"{type(error).__name__}: {text}".replace("|", "/")


def measured(name: str) -> str:
    """The row of a class."""
    with tempfile.TemporaryDirectory() as folder:
        first, *cells = line(name, Path(folder))
    found = f"| {' | '.join([f'{first} (`{name}`)', *cells])} |"
    print(found, file=sys.stderr, flush=True)
    return found


def kept() -> dict[str, str]:
    """The rows of the page by the names of their classes."""
    return dict(re.findall(r"^(?=.*\(`(\w+)`\))(\| .*)$", PAGE.read_text(encoding="utf-8"), re.M))


def page(lines: dict[str, str]) -> str:
    names = [name for name in zoo.CLASSES if name in lines]
    head = ["class", *COLUMNS]
    table = "\n".join(
        [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head))] + [lines[name] for name in names]
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("transformers", "peft", "torch"))
    return f"""# Model classes

Tiny random models of {len(names)} classes, two or three layers, float32, on a CPU ({versions}, Python {platform.python_version()}).
Windows and chunks hold {zoo.WINDOW} tokens, so that the rows reach beyond them. The command is `python benchmarks/model_classes.py`.

- **layout**: how `trainer.layout=packed` lays out the rows of a batch. The model is asked once after loading; what changes its loss is not done.
- **logits**: where they come from. A head that caps or scales them is asked itself.
- **loss off by**: the largest difference of a target's loss from cross entropy of the model's own logits, one row at a time.
- **answers by heart**: how many of {len(TOWNS)} answers a LoRA adapter has learned after at most {EPOCHS} epochs, by the model's own greedy choice.
- **resumes**: whether a training that was interrupted in the middle has the curve of an undisturbed one, to the last digit.
- **stock peft loads**: whether `AutoPeftModelForCausalLM` gives the logits of the trained model.
- **packs**: whether trials of a sweep train together with the losses of a trial alone, or why they train alone.
- **options scored**: whether the options of a question have the log-probabilities of the plain call.

{table}
"""


def main(names: list[str]) -> None:
    lines = kept() if PAGE.is_file() and names else {}
    for name in names or zoo.CLASSES:
        lines[name] = measured(name)
        PAGE.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    from transformers.utils import logging

    logging.set_verbosity_error()
    main(sys.argv[1:])
