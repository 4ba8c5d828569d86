"""How far a model with an adapter has moved from the untuned one: the adapter is switched off for the comparison."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byheart.model.language import LanguageModel


def divergences(language: "LanguageModel", asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
    """(sum of KL(untuned || this model) in nats, tokens) of the reply to each question, its end of turn included.

    Empty where the untuned model is not in memory: nothing was tuned, or all weights were.
    """
    model: Any = language.model
    if not hasattr(model, "disable_adapter"):
        return []
    found = []
    with language.reading():
        for question, text in asked:
            reply = language.chat.answer(text)
            row = tuple(language.fitting(language.chat.prompt(question), len(reply))), reply
            with model.disable_adapter():
                before_TV = language.whole_rows([row])[0].log_softmax(-1)
            after_TV = language.whole_rows([row])[0].log_softmax(-1)
            nats = float((before_TV.exp() * (before_TV - after_TV)).sum(-1).clamp(min=0).sum())
            found.append((nats, len(reply)))
    return found
