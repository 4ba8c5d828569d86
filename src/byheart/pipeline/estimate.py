"""What a run will take: time, memory, download, and a teacher's cost. Nothing is loaded, sent or trained for it."""

import importlib.util
import sys
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from byheart.documents.languages.tokens import count_tokens
from byheart.evaluation.forgetting import Forgetting, general_paragraphs
from byheart.evaluation.kinds import ALONE, MOST_TRAINED
from byheart.evaluation.profile import END_TOKENS, WRONG, Profile
from byheart.evaluation.questions import load_questions
from byheart.evaluation.recall import Recall
from byheart.expansion.base import Expansion, Source, TeacherExpansion
from byheart.expansion.file import File, read_pairs
from byheart.expansion.rules.rules import Rules
from byheart.model.replay import ANSWER_TOKENS, DISTINCT, QUESTION_TOKENS, TEXT_TOKENS
from byheart.model.sizes import ModelSizes, download_bytes, of_model, sizes_of
from byheart.pipeline.evaluate import collect_probes
from byheart.pipeline.prepare_data import PreparedData, estimate_teacher
from byheart.pipeline.run_config import RunConfig
from byheart.records import Probe
from byheart.results import Needs, RunEstimate, TrainingEstimate
from byheart.training.hardware import Place, expected_place
from byheart.training.job import TrainJob, TrainResult
from byheart.training.memory import LIBRARIES, SLACK, Pass, training_bytes
from byheart.training.speed import Pace, Speed, Work, known_speed, measured_speed, pace_of, remember

TURNS = 28  # tokens that a chat template writes around a question and its answer, about
WORDING = 22  # tokens of a question, about
OPEN_BOOK = 2  # models that are asked with the passage: untuned and tuned
GENERAL, EVERYDAY = 3000, (12, 24)  # tokens of the packaged questions, read; everyday questions and tokens of an answer
PHRASE = 9  # of a short answer, or of half a sentence, about
START_S, RULES_S, FACT_S = 12.0, 4.0, 0.03  # the libraries; the parser; each fact that it reads
LEAST_STEPS, LEAST_S = 8, 5.0  # of a training from which later estimates learn
READ_S = 1e9  # bytes of weights that are read from a disk in a second


@dataclass(frozen=True)
class _Rows:
    """How many rows, how long, and what is asked at the end. A row's tokens: mean and spread."""

    taught: int
    held_out: int
    probes: int
    tokens: float
    spread: float
    targets: float
    passage: float  # tokens of the passage that an open-book prompt has more
    facts: int

    @classmethod
    def of_data(cls, config: RunConfig, data: PreparedData) -> "_Rows":
        train = data.examples_of(data.split.train)
        asked, said = (count_tokens(texts) for texts in ([e.question for e in train], [e.answer for e in train]))
        lengths = [a + b + TURNS for a, b in zip(asked, said, strict=True)]
        passage = mean([chunk.tokens for chunk in data.chunks] or [0])
        validated, tested = len(data.split.validation), len(data.split.test) + len(data.split.untaught)
        tested += min(len(data.split.test), MOST_TRAINED) or ALONE
        return cls(
            len(train),
            validated + round(config.dev * _asked(config)),
            tested + round((1 - config.dev) * _asked(config)),
            mean(lengths),
            pstdev(lengths),
            mean(said) + 1,
            passage,
            len(data.facts),
        )

    @classmethod
    def of_source(cls, config: RunConfig, source: Source) -> "_Rows":
        """Before any example is made: as many as the expansions ask for, as long as the facts are."""
        made = max(1, sum(_expected(member, source) for member in config.expansion.values()))
        facts = mean(count_tokens([fact.text for fact in source.facts]) or [20])
        held = min(made // 2, max(config.split.at_least, round(config.split.share * len(source.facts))))
        held = held if config.split.share else 0
        tokens = TURNS + WORDING + 0.6 * facts
        passage = mean([chunk.tokens for chunk in source.chunks] or [0])
        probes = held // 2 + (min(held // 2, MOST_TRAINED) or ALONE) + round((1 - config.dev) * _asked(config))
        return cls(made - held, held // 2, probes, tokens, 0.3 * tokens, 0.6 * facts + 1, passage, len(source.facts))

    def with_replay(self, count: int) -> tuple[float, float, float]:
        """(tokens, spread, targets) of a row where `count` replayed rows are mixed in."""
        long = TURNS / 2 + (QUESTION_TOKENS + ANSWER_TOKENS + TEXT_TOKENS) / 2
        share = count / max(1, count + self.taught)
        tokens = share * long + (1 - share) * self.tokens
        return tokens, self.spread, share * (long - TURNS / 2) + (1 - share) * self.targets


def estimate_run(config: RunConfig, source: Source | None, data: PreparedData | None, quickly: bool) -> RunEstimate:
    """`data`: the examples, where they are made already; else from `source`. `quickly`: torch is loaded soon anyway, so that
    a measurement, where it is needed, loads it."""
    cost = estimate_teacher(config, source) if source is not None else {}
    rows = _Rows.of_data(config, data) if data else _Rows.of_source(config, source) if source else None
    for name, member in config.paid.items():
        cost[name] = member.expected(_probes(config, data, rows.probes if rows else 0), _models(config))
    return RunEstimate(cost, _training(config, data) if data else None, _needs(config, rows, quickly, bool(data)))


def remember_pace(model: Any, train_job: TrainJob, result: TrainResult, dtype: str) -> None:
    """Keeps how long a training took, for later estimates. Very short ones tell nothing."""
    import torch

    rows, weights = train_job.train, list(model.parameters())
    device, threads = weights[0].device.type, torch.get_num_threads()
    sizes, speed = of_model(model), known_speed(device, dtype, threads)
    if sizes is None or speed is None or result.steps < LEAST_STEPS or result.seconds < LEAST_S:
        return
    trained = sum(p.numel() for p in weights if p.requires_grad)
    tokens, targets = mean(len(row.tokens) for row in rows), mean(len(row.tokens) - row.loss_from for row in rows)
    batch = min(train_job.batch_size, len(rows))
    plain = Pace(sizes, speed, device)
    expected = result.steps * plain.step(Work(batch * tokens, batch * targets, batch * tokens, trained))
    held_out = sum(len(row.tokens) for row in train_job.validate)
    expected += len(result.curve) * plain.reading(
        held_out, sum(len(r.tokens) - r.loss_from for r in train_job.validate)
    )
    remember(sizes, device, dtype, threads, expected, result.seconds)


def _needs(config: RunConfig, rows: _Rows | None, quickly: bool, made: bool) -> Needs:
    sizes, trainer = sizes_of(config.model), config.trainer
    place = expected_place(trainer.device, trainer.precision, trainer.threads)
    download = download_bytes(config.model, sizes)
    limit = config.limit
    if sizes is None or rows is None:
        return Needs(
            config.epochs * config.rounds,
            limit_s=limit.seconds,
            total=place.total,
            free=place.free,
            device=place.device,
            download=download,
        )
    replayed = config.rows.replayed(rows.taught)
    trained = sizes.trained(config.adapter)
    tokens, spread, targets = rows.with_replay(replayed)
    batch = min(config.batch_size, rows.taught + replayed)
    steps = ceil((rows.taught + replayed) / config.batch_size)
    memory, recompute = _memory(config, sizes, place, (batch, tokens, spread, targets), trained)
    speed = _speed(place, quickly)
    once = epoch = None
    if speed is not None:
        pace = pace_of(sizes, speed, place.device, place.dtype, place.cores)
        keys = batch * tokens if trainer.layout == "packed" else tokens + 2 * spread
        step = pace.step(Work(batch * tokens, batch * targets, keys, trained, recompute))
        check = pace.reading(rows.held_out * rows.tokens, rows.held_out * rows.targets)
        epoch = steps * step + config.stopping.checks_per_epoch * check
        epoch *= 1 if config.retrain == "none" else 2
        once = _once(config, rows, pace, sizes, place.itemsize, replayed, made)
    share = min(1.0, limit.steps / (steps * config.epochs * config.rounds)) if limit.steps else 1.0
    return Needs(
        config.epochs * config.rounds,
        once,
        epoch,
        limit.seconds,
        share,
        pace.basis if speed is not None else "",
        memory,
        place.total,
        place.free,
        place.device,
        recompute,
        download,
        sizes.read_from,
    )


def _memory(
    config: RunConfig, sizes: ModelSizes, place: Place, batch: tuple[int, float, float, float], trained: int
) -> tuple[int, bool]:
    """Bytes at the peak, and whether gradient checkpointing will be used: where it is asked for, or needed."""
    count, tokens, spread, targets = batch
    count = min(count, config.trainer.rows_at_once or count)
    most = count * tokens + 2.5 * sqrt(count) * spread  # what the largest batch of many has, about
    packed = config.trainer.layout == "packed"
    read = Pass(round(most), round(most * targets / tokens), round(most if packed else tokens + 2.5 * spread))
    on_cpu = place.device == "cpu"

    def whole(recompute: bool) -> int:
        where = place.itemsize, place.device, recompute, SLACK[place.device]
        beside = training_bytes(sizes, trained, config.optimizer, read, *where)
        base = sizes.weight_bytes(place.itemsize, config.model.quantization)
        return int(base + beside + (LIBRARIES if on_cpu else 0))

    asked = config.trainer.gradient_checkpointing
    short = place.free is not None and whole(False) > place.free and whole(True) < whole(False)
    recompute = asked is True or (asked != False and short)  # noqa: E712
    return whole(recompute), recompute


def _once(
    config: RunConfig, rows: _Rows, pace: Pace, sizes: ModelSizes, itemsize: int, replayed: int, made: bool
) -> float:
    """Seconds beside the training."""
    answers = next((m.max_new_tokens for m in config.evaluation.values() if isinstance(m, Recall)), 0)
    general = any(isinstance(member, Forgetting) for member in config.evaluation.values())
    times = _models(config)
    scored = times * pace.writing(rows.probes, answers, itemsize)
    scored += pace.reading(rows.probes * (times * (TURNS + WORDING) + OPEN_BOOK * rows.passage))
    if general:
        read = sum(count_tokens(list(general_paragraphs())))
        once = pace.reading(read, read) + pace.reading(GENERAL) + pace.writing(*EVERYDAY, itemsize)
        scored += (times - OPEN_BOOK) * once
    for member in config.evaluation.values():
        if isinstance(member, Profile):
            facts = min(rows.facts, member.facts or rows.facts)
            written = pace.writing(facts, member.max_new_tokens, itemsize) + pace.writing(facts, END_TOKENS, itemsize)
            seen = pace.reading(facts * (2 * (TURNS + WORDING) + WRONG * PHRASE))
            scored += (times - OPEN_BOOK) * (written + seen)
    new = min(replayed, DISTINCT)
    sampled = pace.writing(new / 2, QUESTION_TOKENS + ANSWER_TOKENS, itemsize, 32) + pace.writing(
        new / 2, TEXT_TOKENS, itemsize, 32
    )
    loaded = (times - OPEN_BOOK + 1) * sizes.parameters * itemsize / READ_S
    rules = any(isinstance(member, Rules) for member in config.expansion.values()) and not made
    return START_S + loaded + scored + sampled + (RULES_S + FACT_S * rows.facts if rules else 0.0)


def _models(config: RunConfig) -> int:
    """Untuned and tuned, and retrained where it is asked for; the first two once more with open book."""
    return OPEN_BOOK + (2 if config.retrain == "none" else 3)


def _probes(config: RunConfig, data: PreparedData | None, count: int) -> list[Probe]:
    """The probes that the models will be asked; those that are not written yet are as long as usual."""
    if data:
        return list(collect_probes(config, data).final)
    asked = load_questions(config.questions) if config.questions else []
    kept = asked[: round((1 - config.dev) * len(asked))]
    return kept + [
        Probe(f"{n}", " ".join([f"{n}", *["question"] * WORDING]), (" ".join([f"a{n}"] * WORDING),))
        for n in range(max(0, count - len(kept)))
    ]


def _speed(place: Place, quickly: bool) -> Speed | None:
    """Measured once on each machine; in a process of its own where torch is not wanted in this one."""
    where = place.device, place.dtype, place.cores
    if (known := known_speed(*where)) is not None:
        return known
    if not importlib.util.find_spec("torch"):
        return None
    if quickly or "torch" in sys.modules:
        return measured_speed(*where)
    import subprocess

    code = f"from byheart.training.speed import measured_speed; measured_speed{where!r}"
    root = str(Path(__file__).parents[2])
    try:
        subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {code}"],
            timeout=60,
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return known_speed(*where)


def _expected(member: Expansion, source: Source) -> int:
    """Examples that an expansion will make, about."""
    most = getattr(member, "max_examples", None) or 2**62
    if isinstance(member, TeacherExpansion):
        requests, each = member.requests(source), getattr(member, "tokens_per_pair", None)
        return min(most, sum(request.max_tokens // each if each else 1 for request in requests))
    if isinstance(member, File):
        return min(most, len(read_pairs(Path(member.path).expanduser())))
    return min(most, getattr(member, "usual", 1) * len(source.facts))


def _asked(config: RunConfig) -> int:
    return len(load_questions(config.questions)) if config.questions else 0


def _training(config: RunConfig, data: PreparedData) -> TrainingEstimate:
    train = data.examples_of(data.split.train)
    tokens = sum(count_tokens([f"{example.question} {example.answer}" for example in train]))
    replayed = config.rows.replayed(len(train))
    steps = -(-(len(train) + replayed) // config.batch_size) * config.epochs
    limit = config.limit
    in_steps = limit.steps is not None and limit.steps < steps
    return TrainingEstimate(
        len(train),
        replayed,
        tokens / len(train),
        config.batch_size,
        config.epochs,
        min(steps, limit.steps or steps),
        config.budget if in_steps or limit.seconds is not None else None,
        in_steps,
        config.rounds,
    )
