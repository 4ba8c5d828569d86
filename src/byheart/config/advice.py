"""What is wrong with an override or a config, as a Problem with the words that the user may have meant."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf

from byheart.config.compose import Composer
from byheart.config.keys import OTHER_NAMES, dotted_keys
from byheart.config.near import near
from byheart.errors import Problem

PACKAGES = {
    "joblib": "hydra-joblib-launcher", "submitit_local": "hydra-submitit-launcher", "ray": "hydra-ray-launcher",
    "submitit_slurm": "hydra-submitit-launcher", "ray_aws": "hydra-ray-launcher",
}  # fmt: skip


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", value: str = "") -> str:
    """Advice for an unknown word: up to three known words that are like it. Of a key, with the `value` that it was given."""
    found = [f"{each}={value}" if value else each for each in meant_by(word, known)]
    return f"did you mean {' or '.join(found)}?" if found else otherwise


def meant_by(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known words that an unknown one may mean: another name of it, its last part, or one that is close."""
    known = [key for key in known if "." in key or "." not in word]
    last = word.rpartition(".")[2]
    found = [key for key in known if key == OTHER_NAMES.get(word.replace("-", "_"))]
    found += [key for key in known if key.rpartition(".")[2] == last] or near(word, known)
    if not found:
        lasts = {key.rpartition(".")[2]: key for key in reversed(known)}
        found = [lasts[match] for match in near(last, lasts, 2)]
    return list(dict.fromkeys(found))[:3]


def wrong_options(composer: Composer, override: Override) -> list[Problem]:
    """A problem for each chosen option that its group does not have, and for several of a group that takes one."""
    group, problems = override.key_or_group, []
    options, several = composer.options(group), chosen_options(override)
    if len(several) > 1 and composer.takes_one(group):
        good = [str(each) for each in several if str(each) in options] or options
        fix = f"{group}={good[0]}" + (f", or a run for each: -m {group}={','.join(good)}" if len(good) > 1 else "")
        what, value = "one option only, and here are several", ",".join(map(str, several))
        problems.append(Problem(what, group, f"[{value}]", fix if "/" not in group else f"{group}={good[0]}"))
    for chosen in several:
        if not isinstance(chosen, str | int | float) or "${" in str(chosen) or str(chosen) in options:
            continue
        offers = f"{group} offers: {', '.join(options)}"
        advice = did_you_mean(str(chosen), options)
        if group == "hydra/launcher" and chosen in PACKAGES:
            advice = f"is it installed? pip install {PACKAGES[str(chosen)]};"
        if group == "model":
            advice += f" for a folder or a hub id use model.path={chosen};"
        if group == "teacher" and not advice:
            advice = f"for the model {chosen} of a server use teacher=openai teacher.model={chosen};"
        problems.append(Problem("there is no such option", group, str(chosen), f"{advice} {offers}".strip()))
    return problems


def with_meant_options(composer: Composer, override: Override) -> str:
    """The override with each wrong option replaced by the one that it may mean, so that the other settings can be
    checked; "" where nothing is left."""
    options = composer.options(override.key_or_group)
    kept = []
    for chosen in map(str, chosen_options(override)):
        kept += [chosen] if chosen in options else meant_by(chosen, options)[:1]
    several = isinstance(override.value(), list) and not composer.takes_one(override.key_or_group)
    key = (override.input_line or "").partition("=")[0]
    return f"{key}=[{','.join(kept)}]" if kept and several else f"{key}={kept[0]}" if kept else ""


def chosen_options(override: Override) -> list[object]:
    value = override.value()
    return list(value) if isinstance(value, list) else [value]


def rejected(composer: Composer, config: DictConfig, override: Override, error: Exception) -> Problem:
    key = override.key_or_group
    known = dotted_keys(OmegaConf.to_container(config, resolve=False))
    if override.is_add() and key in known:
        return Problem("this key exists already", key, fix=f"remove the +: {(override.input_line or '')[1:]}")
    if override.is_delete():
        return Problem("there is no such key to remove", key, fix=did_you_mean(key, known))
    for mapping in (key, key.rpartition(".")[0]):
        if "." in mapping and OmegaConf.select(config, mapping) == {}:
            return Problem(
                "this mapping is empty yet", key, fix=f"add each key with a plus sign: +{mapping}.name=value"
            )
    if "Could not override" in str(error) or "No match in the defaults list" in str(error):
        return unknown_key(composer, key, known, (override.input_line or "").partition("=")[2])
    return Problem(first_line(error), key, (override.input_line or "").partition("=")[2])


def unknown_key(composer: Composer, key: str, known: Sequence[str], value: str = "") -> Problem:
    head, _, rest = key.partition(".")
    member = rest.partition(".")[0]
    if head in composer.groups:
        if member and member in composer.options(head):
            return Problem("this member was not chosen", key, fix=f"choose it too, for example {head}=[...,{member}]")
        if not rest:
            return Problem("this group has no member in this config", key, fix=f"add it with +{key}=...")
    ours = [each for each in known if not each.startswith("hydra") or each == OTHER_NAMES.get(key)] + composer.groups
    advice = did_you_mean(key, known if head == "hydra" else ours, "`byheart learn --help --all` lists all keys", value)
    return Problem("there is no such key", key, fix=advice)


def unreadable(override: str) -> Problem:
    if "=" not in override:
        if Path(override).exists():
            fix = f"for a document write documents={override}; for several documents=[a.pdf,b.pdf]"
        else:
            fix = "write settings as key=value; `byheart learn --help` lists the keys"
        return Problem("this is not key=value", value=override, fix=fix)
    key, _, value = override.partition("=")
    fix = f"quote it inside quotes: '{key}=\"{value}\"'"
    if "," in value:
        each = ",".join(f'"{part}"' for part in value.split(","))
        fix += f", or each of several values: '{key}={each}'"
    return Problem("cannot be read", key, value, fix)


def broken_config(composer: Composer, name: str, error: Exception) -> Problem:
    if isinstance(error, MissingConfigException):
        missing = error.missing_cfg_file or name
        if missing == name:
            names = composer.options("")
            return Problem(
                "there is no such config", "--config-name", name, did_you_mean(name, names, "add -cd FOLDER")
            )
        group, _, option = missing.rpartition("/")
        options = composer.options(group) if group else []
        return Problem("there is no such option", f"{group} (in {name}.yaml)", option, did_you_mean(option, options))
    what = "nested too deeply, or names itself" if isinstance(error, RecursionError) else first_line(error)
    return Problem(what, f"{name}.yaml")


def first_line(error: Exception) -> str:
    lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].rstrip().endswith("while composing config:"):
        lines = lines[1:]  # it says only where
    return lines[0].strip() if lines else type(error).__name__
