"""The rows that training measures by kind of question at the ends of epochs; none of them chooses anything."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from byheart.evaluation.forgetting import general_paragraphs
from byheart.evaluation.kinds import (
    HELDOUT_ANGLE,
    HELDOUT_FACT,
    HELDOUT_WORDING,
    TRAINED_WORDING,
    kinds_of,
    sample_trained,
)
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.run_config import RunConfig
from byheart.records import Example
from byheart.training.kinds import GENERAL
from byheart.training.layout import Row

COUNT = 24  # questions of each kind


def kind_rows(config: RunConfig, data: PreparedData, session: ModelSession) -> dict[str, list[Row]]:
    """Of each kind up to 24 rows, the same for the same seed, and the paragraphs of general text.

    Held-out questions are those of the validation half: the test half is asked once, at the end.
    """
    trained = data.examples_of(data.split.train)
    validation = data.examples_of(data.split.validation)
    kinds = kinds_of(validation, trained)
    held_out = {
        kind: _some([example for example in validation if kinds[example.id] == kind], config.seed)
        for kind in (HELDOUT_WORDING, HELDOUT_ANGLE)
    }
    twins = sample_trained([example for some in held_out.values() for example in some], trained, config.seed)
    others = sample_trained([], trained, config.seed)  # where little is held out
    asked = {
        TRAINED_WORDING: [*{e.id: e for e in (*_some(twins, config.seed), *others)}.values()][:COUNT],
        **held_out,
        HELDOUT_FACT: _some(data.examples_of(data.split.untaught), config.seed),
    }
    limit = min(config.rows.max_tokens, session.language_model().longest or config.rows.max_tokens)
    answers = replace(config.rows, loss_on="answer")
    rows = {
        kind: [Row(e.tokens, e.loss_from) for e in answers.build(some, session.chat) if len(e.tokens) <= limit]
        for kind, some in asked.items()
    }
    start = session.chat.text_start
    texts = [[*start, *session.chat.tokens(text)][:limit] for text in general_paragraphs()]
    return rows | {GENERAL: [Row(tokens, 1) for tokens in texts if len(tokens) > 1]}


def _some(examples: Sequence[Example], seed: int) -> list[Example]:
    return sorted(examples, key=lambda example: sha256(f"{seed}\x1f{example.id}".encode()).digest())[:COUNT]
