"""What a config must not contain: passwords and keys, which would be saved in every run's folder, and foreign code."""

import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence

from byheart.config.keys import every_key
from byheart.config.near import is_slip
from byheart.errors import Problem
from byheart.stable_ids import current_path

SECRET_KEY = re.compile(
    r"(^|[._-])(api_?key|secret(_?key)?|password|passwd|credentials?|(access|auth|bearer|hf|api)_?token|token)$", re.I
)
SECRET_VALUE = re.compile(
    r"\b(sk-[\w-]{16,}|hf_\w{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|A(KIA|SIA)[0-9A-Z]{16}"
    r"|AIza[\w-]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|wandb_v1_\w{20,})"
)
SECRET_URL = re.compile(
    r"[a-z][\w+.-]*://[^/\s:@]*:[^/\s@]+@|[?&](api_?key|key|token|access_token|secret|password|sig|signature)=[^&\s]+",
    re.I,
)
BY_NAME = "a key or password cannot be a setting"
NAMED_ELSEWHERE = "put it in an environment variable and give only the variable's name (like teacher.api_key_env=NAME)"

FOREIGN_CODE = "a config may not run this code"
FOREIGN = re.compile(
    r"(optuna\.(samplers|pruners)|torch\.optim|lightning\.pytorch\.loggers|hydra\.experimental\.callbacks)\.[A-Z]\w*"
    r"|(hydra_plugins|hydra\._internal\.core_plugins)\.\w+(\.\w+)*\.[A-Z]\w*"
)
TRUSTED = "byheart's own classes, optuna samplers and pruners, torch.optim optimizers, lightning loggers, Hydra plugins"


def secrets_in_overrides(overrides: Sequence[str]) -> dict[str, Problem]:
    """Credentials on the command line, by override. The value is never repeated: problems end up in logs.

    A known key, or a slip in writing one (`rows.max_token`), is no secret by its name alone.
    """
    found: dict[str, Problem] = {}
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+~")
        for problem in _secret(key, value.strip("'\"")):
            if problem.what != BY_NAME or not is_slip(key, every_key()):
                found[override] = problem
    return found


def secrets_in(config: object, path: str = "") -> list[Problem]:
    """Credentials anywhere in a composed config (a plain container, not resolved)."""
    return [problem for where, value in leaves(config, path) for problem in _secret(where, value)]


def _secret(where: str, value: object) -> list[Problem]:
    text = str(value) if value is not None else ""
    if SECRET_VALUE.search(text):
        what = "this looks like a secret key, and settings are saved with the run"
    elif SECRET_URL.search(text):
        what = "this address contains a password, and settings are saved with the run"
    elif SECRET_KEY.search(where) and text not in ("", "null", "None") and not isinstance(value, bool | int | float):
        what = BY_NAME
    else:
        return []
    return [Problem(what, where, "****", NAMED_ELSEWHERE)]


def without_secrets(problem: Problem) -> Problem:
    """The problem, with stars for what looks like a secret: it ends up in logs."""
    parts = (SECRET_URL.sub("****", SECRET_VALUE.sub("****", part)) for part in dataclasses.astuple(problem))
    return Problem(*parts)


def foreign_targets(config: object, path: str = "") -> list[Problem]:
    """Every `_target_` that is neither byheart's own class nor one of the few libraries that a config may name."""
    targets = [(where, str(value)) for where, value in leaves(config, path) if where.rpartition(".")[2] == "_target_"]
    foreign = [each for each in targets if not FOREIGN.fullmatch(each[1]) and not is_own_class(each[1])]
    return [Problem(FOREIGN_CODE, where, value, f"allowed are {TRUSTED}") for where, value in foreign]


def is_own_class(target: str) -> bool:
    """Whether it names an option that byheart itself defines, a dataclass: `byheart.store.os.system` and re-exports are none."""
    module, _, name = current_path(target).rpartition(".")
    if not re.fullmatch(r"byheart(\.[a-z]\w*)*", module):
        return False
    try:
        if importlib.util.find_spec(module) is None:  # a module, not an attribute that happens to be one
            return False
    except ModuleNotFoundError:
        return False
    found = getattr(importlib.import_module(module), name, None)
    return (
        isinstance(found, type) and found.__module__.partition(".")[0] == "byheart" and dataclasses.is_dataclass(found)
    )


def leaves(config: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each plain value with its dotted path."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from leaves(value, f"{path}.{index}" if path else str(index))
    else:
        yield path, config
