"""Tasks of lm-evaluation-harness (the package `lm_eval`), on the model as it stands in memory."""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from byheart.errors import Problem, UserError
from byheart.evaluation.intervals import Z
from byheart.records import Value

if TYPE_CHECKING:
    from byheart.evaluation.base import Recaller
    from byheart.model.language import LanguageModel

WHERE = "evaluation.forgetting.lm_eval"


def run_tasks(model: "Recaller", tasks: Sequence[str]) -> dict[str, Value]:
    """ "hellaswag acc_norm" and so on, each with 1.96 standard errors: every metric of every task that has an error.

    A task is named as in `lm_eval ls tasks`, or is the YAML file of one. Raises UserError where a task cannot be run,
    as without a network.
    """
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    language = cast("LanguageModel", model)
    own = [Path(task) for task in tasks if task.endswith((".yaml", ".yml"))]
    folders = sorted({str(path.parent.resolve()) for path in own})
    names = [Path(task).stem if Path(task) in own else task for task in tasks]
    with language.reading(), redirect_stderr(io.StringIO()):  # it draws bars and logs there
        asked = HFLM(
            pretrained=cast(Any, language.model), tokenizer=language.chat.tokenizer, batch_size=language.rows_at_once
        )
        try:
            result = lm_eval.simple_evaluate(
                asked,
                tasks=names,
                task_manager=TaskManager(include_path=folders or None),
                bootstrap_iters=100,
                log_samples=False,
            )
        except Exception as error:  # of datasets, the hub or the task's own code
            what = f"lm_eval could not run it ({type(error).__name__}: {str(error)[:200]})"
            raise UserError(
                Problem(
                    what,
                    WHERE,
                    ", ".join(tasks),
                    "its data must be on this machine or on a hub that can be reached; or leave it out",
                )
            ) from error
    return values_of(cast("Mapping[str, Any]", result))


def values_of(result: Mapping[str, Any]) -> dict[str, Value]:
    """Of what `simple_evaluate` returns, each metric that has a standard error, with its interval."""
    found = {}
    for task, numbers in result["results"].items():
        count = result["n-samples"].get(task, {}).get("effective", 0)
        for name, at in numbers.items():
            metric, _, kind = name.partition(",")
            error = numbers.get(f"{metric}_stderr,{kind}")
            if kind and isinstance(at, float) and isinstance(error, float):
                found[f"{task} {metric}"] = Value(at, count, at - Z * error, at + Z * error)
    return found
