"""What a run will do, for a person: one line for the whole, and each part in words."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from byheart.documents.load import survey
from byheart.expansion.base import TeacherExpansion
from byheart.model.adapters.adapter import Lora
from byheart.model.embedded import EMBEDDED, HUB_ID, find_embedded
from byheart.model.sizes import ModelSizes, download_bytes, sizes_of
from byheart.pipeline.run_config import RunConfig
from byheart.records import counted
from byheart.training.hardware import expected_place
from byheart.training.stopping import WORDS

SHOWN = 8  # documents; of more, the number and the size of the others
LAYERS = {"all-linear": "all linear layers", "attention": "the attention", "mlp": "the MLPs"}
Line = tuple[str, str]  # what it is about, and the words


def summary(config: RunConfig) -> list[str]:
    """The parts of one line: "Model Qwen/Qwen3-4B", "LoRA rank 16 on all linear layers", "up to 30 epochs", "W&B offline"."""
    loggers = [title(logger) for logger in config.logger.values()]
    return [f"Model {_model_name(config)}", _adapter(config), _length(config), *loggers]


def details(config: RunConfig, made_of: Sequence[str] = ()) -> Iterator[Line]:
    """Every part of the run, in the order in which it is used. `made_of`: what is known of the documents, in words."""
    yield from _documents(config)
    yield from ((name, line) for name, line in zip(["made of", *[""] * len(made_of)], made_of, strict=False))
    if config.questions:
        with Path(config.questions).open("rb") as file:
            count = sum(1 for line in file if line.strip())
        share = f"; {config.dev:.0%} of them choose the epoch" if config.dev else ""
        yield "questions", f"{config.questions}, {count:,} of them{share}"
    yield "examples", ", ".join(_with_changes(name, member) for name, member in config.expansion.items())
    if any(isinstance(member, TeacherExpansion) for member in config.expansion.values()):
        yield "teacher", title(config.teacher)
    split = config.split
    held = f"a way of asking of {split.share:.0%} of the facts, {split.at_least} examples or more"
    whole = f"; {split.heldout_facts:.0%} of the facts whole" if split.heldout_facts else ""
    yield "held out", f"{held if split.share else 'nothing'}{whole}"
    sizes = sizes_of(config.model)
    yield "model", _model(config, sizes)
    trained = f": {_count(sizes.trained(config.adapter))} parameters" if sizes else ""
    yield "adapter", _adapter(config) + trained
    rate = f"learning rate {config.lr:g}" + (f", {config.schedule}" if config.schedule != "constant" else "")
    optimizer = _with_changes(title(config.optimizer), config.optimizer, "lr")
    yield "training", f"{_length(config)}, batch size {config.batch_size}, {rate}, {optimizer}, seed {config.seed}"
    if config.rows.replay:
        yield "replay", f"{config.rows.replay:.0%} of the rows are texts of the untuned model, against forgetting"
    yield "ends when", _ending(config)
    if config.retrain != "none":
        yield "then", f"a second training for the best number of epochs, learning rate {config.retrain}"
    if config.rounds > 1:
        yield (
            "rounds",
            f"up to {config.rounds}: facts that are not recalled are asked in further ways, and training goes on",
        )
    yield "scores", ", ".join(config.evaluation) or "none"
    yield from ((name, title(member)) for name, member in config.paid.items())
    trainer = config.trainer
    place = expected_place(trainer.device, trainer.precision, trainer.threads)
    cores = f", {counted(place.cores, 'core')}" if place.device == "cpu" else ""
    memory = f", {place.total / 2**30:.3g} GiB" if place.total else ""
    yield "device", f"{place.name}{cores}{memory}, {place.dtype}"
    if config.logger:
        yield "logger", ", ".join(title(logger) for logger in config.logger.values())


def title(option: object) -> str:
    """The name that a person knows an option by."""
    return str(getattr(option, "title", type(option).__name__))


def _documents(config: RunConfig) -> Iterator[Line]:
    files, passed_over = survey(config.documents, follow_links=config.follow_links)
    found = [(path, path.stat().st_size) for path in files]
    for path, size in found[:SHOWN]:
        yield "document", f"{_size(size)}  {_nearby(path)}"
    if rest := found[SHOWN:]:
        yield "", f"and {len(rest):,} more, {_size(sum(size for _, size in rest))}"
    for said in passed_over:
        yield "", said


def _nearby(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _model_name(config: RunConfig) -> str:
    if config.model.path != EMBEDDED:
        return config.model.path
    return HUB_ID.partition("/")[2] if find_embedded() else str(config.model.hub_id)


def _model(config: RunConfig, sizes: ModelSizes | None) -> str:
    model = config.model
    said = [_model_name(config)]
    if model.path == EMBEDDED and find_embedded():
        said.append("embedded")
    if sizes:
        said.append(f"{_count(sizes.parameters)} parameters{' by its name' if sizes.read_from == 'name' else ''}")
    if model.quantization:
        said.append(f"linear layers as {model.quantization}")
    if model.template:
        said.append(f"template {model.template}")
    download = download_bytes(model, sizes)
    if model.hub is not None and model.hub.unreached:
        said.append("not verified")
    elif download:
        said.append(f"on the hub, {download / 1e9:.2g} GB to download")
    return ", ".join(said)


def _adapter(config: RunConfig) -> str:
    adapter = config.adapter
    if not isinstance(adapter, Lora):
        return title(adapter)
    named = adapter.targets if isinstance(adapter.targets, str) else ", ".join(adapter.targets)
    experts = " and the experts" if adapter.experts else ""
    text = f"{title(adapter)} rank {adapter.rank} on {LAYERS.get(named, named)}{experts}"
    more = _changes(adapter, "rank", "targets", "experts", *(["alpha"] if adapter.alpha == 2 * adapter.rank else []))
    return ", ".join([text, *more])


def _length(config: RunConfig) -> str:
    limit = config.limit
    epochs = f"up to {counted(config.epochs, 'epoch')}"
    if limit.steps is not None:
        return f"{epochs} or {limit.steps:,} steps"
    return epochs if limit.seconds is None else f"{epochs} within {config.budget}"


def _ending(config: RunConfig) -> str:
    stopping = config.stopping
    if stopping.patience is None:
        return f"all epochs are over; the best by {WORDS[stopping.monitor]} is kept"
    checks = f"{counted(stopping.patience, 'check')}"
    return f"{WORDS[stopping.monitor]} has not improved for {checks} ({stopping.checks_per_epoch} an epoch)"


def _with_changes(name: str, option: object, *known: str) -> str:
    changed = _changes(option, *known)
    return f"{name} ({', '.join(changed)})" if changed else name


def _changes(option: object, *known: str) -> list[str]:
    """The settings that are not at their defaults, but for those that are said elsewhere."""
    fields = dataclasses.fields(option) if dataclasses.is_dataclass(option) else ()
    found = []
    for each in fields:
        value, default = getattr(option, each.name), each.default
        if each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        if each.name in known or value == default or isinstance(value, dict) or dataclasses.is_dataclass(value):
            continue
        text = (
            ", ".join(map(str, value))
            if isinstance(value, tuple | list)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )
        found.append(f"{each.name} {text}")
    return found


def _count(number: float) -> str:
    return (
        f"{number / 1e9:.3g} billion"
        if number >= 1e9
        else f"{number / 1e6:.3g} million"
        if number >= 1e6
        else f"{number:,.0f}"
    )


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
