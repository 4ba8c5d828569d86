"""Whether saved weights are those of the model: what is missing would be random, and what is too much would be lost."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from byheart.errors import Problem, UserError

SHOWN = 4


def refuse_other_weights(names: Collection[str], info: Mapping[str, Any], where: str, value: str) -> None:
    """Raises UserError where a checkpoint is not that of the model. `names`: of its parameters; `info`: of transformers.

    transformers leaves out of its report what is tied, and what a class says may be missing or too much.
    """
    own = {_pattern(name) for name in names}
    # Other parts of a model, such as a vision tower or a head for drafts, may well be left out: no layer of these exists here.
    more = [name for name in info["unexpected_keys"] if _pattern(name) in own]
    sizes = [name if isinstance(name, str) else name[0] for name in info["mismatched_keys"]]
    found = [
        *named("has no weights for", info["missing_keys"]),
        *named("has weights of another size for", sizes),
        *named("has more layers than config.json says:", more),
        *info["error_msgs"],
    ]
    if found:
        fix = "download or copy the whole model again: config.json and every file of weights belong together"
        if len(info["missing_keys"]) == len(found) == 1:  # as from a model that embeds texts, which has no head
            fix += "; if it never had them, choose a model that writes text"
        raise UserError(Problem(f"the checkpoint {'; it '.join(found)}", where, value, fix))


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "N", name)


def named(what: str, names: Collection[str]) -> list[str]:
    if not names:
        return []
    shown, more = sorted(names)[:SHOWN], len(names) - SHOWN
    return [f"{what} {', '.join(shown)}{f' and {more} more' if more > 0 else ''}"]
