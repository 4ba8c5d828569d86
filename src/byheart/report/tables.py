"""What the terminal and the page both show of a run's scores, with their intervals. `scores` is the content of scores.json."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from byheart.evaluation.base import METRICS
from byheart.records import Json, Value

Scores = Json

MODELS = {"untuned": "untuned", "open_book": "open book", "tuned": "tuned", "retrained": "retrained"}
FOUND_BY = {"support": "its section", "paragraph": "its paragraph", "fact": "its fact", "lexical": "words in common"}
SPECIAL = (  # folded away
    *(
        "choice",
        "choice_blind",
        "margin_gain",
        "rouge_l",
        "general_kept",
        "divergence",
        "ngrams_4",
        "ngrams",
        "ngrams_6",
        "membership_found",
        "membership_zlib",
        "membership_zlib_found",
    ),
    *("membership_min_k", "membership_min_k_found", "membership_reference_found"),
)
FORGOTTEN = (  # up to which ratio of perplexities
    (1.05, "none that can be measured", "nothing to do"),
    (1.25, "slight", "usual for the defaults; nothing to do"),
    (2.0, "noticeable", "more replay, fewer epochs or a lower lr forget less"),
    (math.inf, "severe", "use a lower lr and more replay before you rely on this adapter"),
)
COUNTED = {  # what is counted where it is no probe
    "perplexity_ratio": "paragraphs",
    "trivia": "general questions",
    "cloze": "texts",
    "general_kept": "general questions",
    "divergence": "answers",
    "priming": "answers",
    **dict.fromkeys(("verbatim", "paraphrase", "ngrams_4", "ngrams", "ngrams_6", "extracted"), "facts"),
}
LEAST = 10  # probes, below which a share is a count and no bar
EXPLAINED = {
    "right": "the likeliest option is the right one; without options, the answer contains an accepted one",
    "choice_norm": "the right option is the likeliest per token",
    "choice_norm_blind": "the options alone are shown: what their wording gives away",
    "margin": "log-likelihood per token of the right option, minus that of the best wrong one",
    "contains": "in its own words, and an accepted answer is among them",
    "exact_match": "in its own words, which are an accepted answer and nothing else",
    "f1": "in its own words: the share that they have in common with an accepted answer",
    "rouge_l": "the longest sequence of words that stands in both, gaps allowed",
    "probability": "the likelihood of an accepted answer as the reply, per token",
    "judged_correct": "a language model read the answer beside the accepted ones",
    "judged_not_attempted": "it says that it does not know, points to the document or repeats the question",
    "consistent": "several wordings of a question on a taught fact get equal answers, right or wrong",
    "wordings_mean": "the answer to a wording contains the right one",
    "wordings_worst": "so do the answers to all wordings of the question: the worst counts",
    "perplexity_ratio": "perplexity of general text, tuned divided by untuned; 1 is no change",
    "trivia": "a question on no document, and the right option is the likeliest per token",
    "cloze": "a text on no document is begun, and what follows begins with the answer",
    "general_kept": "questions and texts on no document; chance takes some of them from any other model",
    "divergence": "KL from the untuned model's expectations to the tuned one's, on answers to everyday questions",
    "priming": "everyday questions; the tuned model's share leaves out names and words that the untuned one says too",
    "verbatim": "a taught fact is begun, and the first words of what follows are the document's",
    "paraphrase": "not word for word, but with half of the words that the fact goes on with",
    "fact_says": "the answer to a question on the fact contains the right one",
    "fact_says_held_out": "the same, of facts with a held-out question",
    "fact_chooses": "the right answer is likelier than those of other facts; 1 in 6 by luck",
    "fact_ends": "given the first half of its sentence, it goes on with the document's words",
    "fact_none": "it passes none of these tests",
    "ngrams": "of the runs of five words in what follows, those that stand in the documents",
    "membership": "chance is 0.5; the losses of taught facts against those of facts held out whole",
    "reversal_forward": "the question names the subject; its answer contains what is said of it",
    "reversal_reverse": "the question gives what is said; its answer contains of whom or what",
    "reversal_gap": "over the kinds of answer that were asked for in both directions; 0 is no reversal curse",
    "reversal_choice_gap": "chance is the same in both directions; 0 is no reversal curse",
    "reversal_margin": "log-likelihood per token of the right name, minus the mean of random names",
    "choice": "the right option has the highest likelihood, summed over its tokens",
    "choice_blind": "the highest sum, with the options alone",
    "margin_gain": "the lead over the best wrong option, minus that without seeing the question",
}
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """The text without control characters, changes of direction and lone surrogates, which a terminal would follow."""
    return UNPRINTABLE.sub("\ufffd", str(text))


def finalize(value: object) -> object:
    """What Jinja does with a value before it is escaped."""
    return printable(value) if type(value) is str else value


# -- scores -----------------------------------------------------------------------------------------------------------


def value(entry: object) -> Value | None:
    """One entry of scores.json as a Value, or None where it is absent, malformed or not a number."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("value"), int | float):
        return None
    at = float(entry["value"])
    low, high = (float(at if entry.get(end) is None else entry[end]) for end in ("low", "high"))
    return Value(at, int(entry.get("count") or 0), low, high) if math.isfinite(at + low + high) else None


def name(metric: str) -> str:
    return METRICS.get(metric) or metric.replace("_", " ")


@dataclass(frozen=True)
class Line:
    """One metric with what each model reached; a model that was not asked is absent."""

    metric: str
    values: dict[str, Value]

    @property
    def label(self) -> str:
        return name(self.metric)

    @property
    def special(self) -> bool:
        return self.metric in SPECIAL

    @property
    def enough(self) -> bool:
        """Whether there are enough probes for a bar."""
        return self.count >= LEAST

    @property
    def share(self) -> bool:
        """Whether the metric lies between 0 and 1 and reads as a percentage."""
        area = self.metric.startswith("membership") and not self.metric.endswith("_found")
        return (
            not area and self.metric != "divergence" and not self.metric.endswith(("margin", "_gain", "_ratio", "_gap"))
        )

    @property
    def count(self) -> int:
        return max((value.count for value in self.values.values()), default=0)


def lines(scores: Scores) -> list[Line]:
    """One line for each metric, with the scores of untuned, open book and tuned; in the order of METRICS."""
    named = {name for model in MODELS for name in scores.get(model) or {} if name != "perplexity"}
    order = [*METRICS, *sorted(named - METRICS.keys())]
    found = [Line(name, {m: at for m in MODELS if (at := entry(scores, m, name))}) for name in order]
    return [line for line in found if line.values]


def headline(scores: Scores) -> Line | None:
    """The headline metric of the run: the one named in the scores, else choice, else contains."""
    by_name = {line.metric: line for line in lines(scores)}
    order = (scores.get("headline"), "choice_norm", "choice", "contains", "exact_match")
    return next((by_name[name] for name in order if name in by_name), None)


def breakdown(scores: Scores, name: str) -> dict[str, Line]:
    """`by_angle`, `by_document` or `halves`: each member with its headline metric."""
    blocks = scores.get(name) or {}
    found = {member: headline({**block, "headline": scores.get("headline")}) for member, block in blocks.items()}
    return {member: line for member, line in found.items() if line}


def entry(scores: Scores, block: str, metric: str) -> Value | None:
    """One value of one block ("tuned", "paired"), or None."""
    return value((scores.get(block) or {}).get(metric))


def percent(share: float) -> str:
    return f"{100 * share:.0f}\u202f%"


def hits(at: Value) -> str:
    """A share of right answers as a count: "3 of 5"."""
    return f"{at.value * at.count:.0f} of {at.count}"


def points(share: float) -> str:
    """A difference of two shares, in percentage points with its sign."""
    return f"{100 * share:+.0f}".replace("-", "−")


def number(at: float, share: bool) -> str:
    return percent(at) if share else f"{at:.2f}".replace("-", "−")


def interval(at: Value, share: bool) -> str:
    if share:
        return f"{100 * at.low:.0f} to {100 * at.high:.0f}"
    return f"{at.low:.2f} to {at.high:.2f}".replace("-", "−")


def forgetting(scores: Scores, model: str = "tuned") -> tuple[str, str] | None:
    """How much worse general text is predicted, in a word, and whether that matters; None where it was not measured."""
    ratio = entry(scores, model, "perplexity_ratio")
    if ratio is None:
        return None
    if ratio.low <= 1 or ratio.value < FORGOTTEN[0][0]:
        return "none that can be measured", "nothing to do"
    return next((word, what) for most, word, what in FORGOTTEN if ratio.value < most)
