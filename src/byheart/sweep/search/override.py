"""One setting of a command line as a record, made where the command line, the sweep's YAML or the space is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hydra.core.override_parser.types import Override as Parsed
from omegaconf import OmegaConf

from byheart.config.compose import PRIMARY, Composer, Config
from byheart.config.quoting import in_hydras_grammar, quoted

PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z_][\w./-]*", re.A | re.I)  # texts that Hydra reads as they stand
SEVERAL = ("expansion", "evaluation", "logger")  # groups of which a list is chosen: their members are their keys


@dataclass(frozen=True)
class Override:
    """`value` is what a YAML file would hold, `text` is what the command line says: `lr=1e-3`."""

    key: str  # with Hydra's sign where there is one: `+key` adds a key, `~key` removes it
    value: object
    text: str

    @property
    def name(self) -> str:
        """The key without Hydra's sign."""
        return bare(self.key)

    @classmethod
    def of(cls, key: str, value: object) -> "Override":
        return cls(key, value, f"{key}={in_hydras_grammar(value, _plain_or_quoted)}")

    @classmethod
    def read(cls, parsed: Parsed) -> "Override":
        return cls(parsed.get_key_element(), as_yaml(parsed.value()), parsed.input_line or "")


def bare(key: str) -> str:
    return key.lstrip("+~")


def last_of_each_key(overrides: Iterable[Override]) -> tuple[Override, ...]:
    """Of several overrides of one key the last, at its own place: Hydra takes a key once."""
    kept: dict[str, Override] = {}
    for override in overrides:
        kept.pop(override.key, None)
        kept[override.key] = override
    return tuple(kept.values())


def as_yaml(value: object) -> object:
    """A value of Hydra's grammar as YAML holds it: a quoted text without its quotes."""
    if isinstance(value, list):
        return [as_yaml(each) for each in value]
    if isinstance(value, dict):
        return {str(key): as_yaml(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool | int | float) else str(getattr(value, "text", value))


def from_yaml(config: Config, swept: Iterable[str]) -> tuple[Override, ...]:
    """What a sweep's own YAML fixes, so that its best trial can be trained without that file: the choices of groups that
    differ from those of `learn`, then the keys that differ from what these choices bring. A config of the user's own
    is no choice that others could name: its keys are listed one by one."""
    composer, swept, found = Composer(), [bare(key) for key in swept], list[Override]()
    plain = composer.compose(PRIMARY)
    for group in composer.groups:
        chosen = _chosen(config, group)
        names = set(chosen if isinstance(chosen, list) else [chosen])
        if group not in swept and chosen != _chosen(plain, group) and names <= {*composer.options(group)}:
            found.append(Override.of(group, chosen))
    shipped = dict(settings_of(composer.compose(PRIMARY, [each.text for each in found]), resolve=False))
    for key, value in settings_of(config, resolve=False):
        hidden = any(part.startswith("_") for part in key.split("."))
        none_chosen = key in SEVERAL and value in (None, {})  # listed above as a choice
        if not (hidden or none_chosen or below(key, swept) or (key in shipped and shipped[key] == value)):
            found.append(Override.of(key if key in shipped else f"+{key}", value))
    return tuple(found)


def settings_of(config: Config, resolve: bool) -> list[tuple[str, object]]:
    """Each setting of a run by its key; Hydra's own are left out."""
    keys = [str(key) for key in config if key != "hydra"]
    return _leaves(OmegaConf.to_container(OmegaConf.masked_copy(config, keys), resolve=resolve))


def below(key: str, heads: Iterable[str]) -> bool:
    return any(key == head or key.startswith(f"{head}.") for head in heads)


def _leaves(value: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def _chosen(config: Config, group: str) -> object:
    if group in SEVERAL:
        return list(config.get(group) or ())
    return OmegaConf.select(config, "hydra.runtime.choices").get(group)


def _plain_or_quoted(text: str) -> str:
    return text if PLAIN.fullmatch(text) else quoted(text)
