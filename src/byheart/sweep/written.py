"""What a sweep's own YAML fixes, in the words of `byheart learn`, so that its best trial can be said without that file."""

import re
from collections.abc import Iterable
from typing import Any

from omegaconf import OmegaConf

from byheart.config.compose import PRIMARY, Composer, Config
from byheart.config.quoting import quoted
from byheart.sweep.fingerprint import below, leaves
from byheart.sweep.space import word

PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z_][\w./-]*", re.A | re.I)  # texts that Hydra reads as they stand
SEVERAL = ("expansion", "evaluation", "logger")  # groups of which a list is chosen: their members are their keys


def written(config: Config, swept: Iterable[str]) -> list[str]:
    """The choices of groups that differ from those of `learn`, then the keys that differ from what these choices bring.
    A config of the user's own is no choice that others could name: its keys are told one by one."""
    composer, swept = Composer(), [key.lstrip("+~") for key in swept]
    plain = composer.compose(PRIMARY)
    lines = []
    for group in composer.groups():
        options, chosen, usual = composer.options(group), _chosen(config, group), _chosen(plain, group)
        if group not in swept and chosen != usual and all(each in options for each in _list(chosen)):
            lines.append(f"{group}={_word(chosen)}")
    usual_values = dict(leaves(_plain(composer.compose(PRIMARY, lines))))
    for key, value in leaves(_plain(config)):
        hidden = any(part.startswith("_") for part in key.split("."))
        if hidden or below(key, swept) or (key in usual_values and usual_values[key] == value):
            continue
        if key in SEVERAL and value in (None, {}):
            continue  # said above as a choice of none
        lines.append(f"{'' if key in usual_values else '+'}{key}={_word(value)}")
    return lines


def _chosen(config: Config, group: str) -> Any:
    if group in SEVERAL:
        return list(config.get(group) or ())
    return OmegaConf.select(config, "hydra.runtime.choices").get(group)


def _plain(config: Config) -> Any:
    keys = [str(key) for key in config if key != "hydra"]
    return OmegaConf.to_container(OmegaConf.masked_copy(config, keys), resolve=False)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_word, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_word(each)}" for key, each in value.items()) + "}"
    if not isinstance(value, str):
        return word(value)
    return value if PLAIN.fullmatch(value) else quoted(value)
