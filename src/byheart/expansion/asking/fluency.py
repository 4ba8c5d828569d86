"""Which questions read like language: a model's mean log-likelihood of their tokens, and the worst dropped.

Overgenerate and rank, after Heilman and Smith (2010), whose ranker was trained on people's judgements; this one is not.
"""

from collections.abc import Mapping, Sequence

from byheart.model.base_model import BaseModel
from byheart.model.chat import pad
from byheart.types import Example, Rejection

HALTING = "the question reads less fluently than the others"
RANKED = ("simple", "detailed", "scenario")  # completions, blanks and recitations quote the text itself
AT_ONCE = 64  # questions in one forward pass


def drop_halting(
    candidates: Mapping[str, Sequence[Example]], share: float, model: BaseModel
) -> tuple[dict[str, list[Example]], list[Rejection]]:
    """(what stays by fact, what went): the least fluent `share` of the questions, never the last of a fact's direction."""
    ranked = [e for own in candidates.values() for e in own if e.angle in RANKED and e.question.endswith(("?", ")"))]
    scores = dict(zip([e.id for e in ranked], fluency([e.question for e in ranked], model), strict=True))
    kept = {fact: list(own) for fact, own in candidates.items()}
    rejected = []
    for example in sorted(ranked, key=lambda e: (scores[e.id], e.id))[: int(share * len(ranked))]:
        own = kept[example.facts[0]]
        if sum(other.direction == example.direction for other in own) > 1:
            own.remove(example)
            rejected.append(Rejection(example, HALTING, f"{scores[example.id]:.2f} nats a token"))
    return kept, rejected


def fluency(texts: Sequence[str], model: BaseModel) -> list[float]:
    """The mean log-likelihood of each text's tokens in nats, behind the token that begins or ends a text."""
    import torch

    if not texts:
        return []
    network, tokenizer = model.load("float32", "cpu")
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    rows = [[start, *tokenizer(text, add_special_tokens=False)["input_ids"]] for text in texts]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    scores = [0.0] * len(rows)
    with torch.inference_mode():
        for begin in range(0, len(order), AT_ONCE):
            places = order[begin : begin + AT_ONCE]
            ids = torch.tensor(pad([rows[place] for place in places], start))
            lengths = torch.tensor([len(rows[place]) for place in places])
            mask = torch.arange(ids.shape[1]) < lengths[:, None]
            logits = network(input_ids=ids, attention_mask=mask.long()).logits[:, :-1].float()
            said = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0] * mask[:, 1:]
            for place, value in zip(places, (said.sum(1) / (lengths - 1).clamp(min=1)).tolist(), strict=True):
                scores[place] = value
    return scores
