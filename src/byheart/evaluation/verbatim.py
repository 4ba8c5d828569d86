"""Memorization of the documents' own words: the model reads the beginning of a taught fact, and goes on.

After Zeng et al., "Exploring Memorization in Fine-tuned Language Models" (arXiv 2310.06714): continuations of prefixes of
the training text, told apart as verbatim, paraphrase and neither, with the n-grams that they share.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from byheart.documents.languages.folding import fold_for_comparison
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.recall import token_f1
from byheart.records import Answer, Document, Fact, Probe

WORD = re.compile(r"[\u2e80-\u9fff]|[^\W_]+(?:['’.,-][^\W_]+)*")  # a Chinese character is a word
SLICE = 16
N = 5  # words of an n-gram
SAME_SENSE = 0.5  # overlap of words (F1) with the right end, from which a continuation is a paraphrase of it
PREFIX = "verbatim-"


@dataclass(frozen=True)
class Verbatim:
    """verbatim, paraphrase, ngrams, and with `tries` also extracted: of `sample` taught facts, always the same ones.

    The model reads up to `prefix_words` words of the document, the last of them the first half of the fact, as plain text.
    Its greedy continuation is verbatim where its first `run_words` words are those of the document, or all that are left
    of the fact, if fewer. Else it is a paraphrase where it shares half of its words with the rest of the fact. `ngrams`:
    of its runs of five words, the share that stands anywhere in the documents. With `tries`, so many continuations
    sampled at temperature 1 are read too. Chinese and Japanese are counted by characters. What the untuned model reaches
    can be guessed.
    """

    sample: int = 48
    prefix_words: int = 40
    run_words: int = 8
    max_new_tokens: int = 48
    tries: int = 0
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("sample", "prefix_words", "run_words", "max_new_tokens"):
            require_count(f"evaluation.verbatim.{name}", getattr(self, name))
        require_count("evaluation.verbatim.tries", self.tries, least=0)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        cases = self.cases(material)
        texts = {document.id: _words(document.text) for document in material.documents}
        grams = {each for words in texts.values() for each in zip(*(words[i:] for i in range(N)), strict=False)}
        answers: dict[str, Answer] = {}
        on_progress(0, len(cases))
        for start in range(0, len(cases), SLICE):
            part = cases[start : start + SLICE]
            begun = [case.question for case in part]
            said = model.go_on(begun, self.max_new_tokens)
            more = [model.go_on(begun, self.max_new_tokens, seed) for seed in range(self.tries)]
            for i, (case, text) in enumerate(zip(part, said, strict=True)):
                answers[case.id] = Answer(case.id, text, self._compare(text, case.answers[0], grams))
                if self.tries:
                    tried = [text, *(each[i] for each in more)]
                    extracted = any(self._is_verbatim(each, case.answers[0]) for each in tried)
                    answers[case.id].metrics["extracted"] = float(extracted)
            on_progress(len(answers), len(cases))
        return Scored(means(cases, answers), answers)

    def cases(self, material: Material) -> list[Probe]:
        """A probe for each sampled fact: `question` is the prefix, the first of `answers` the rest of the fact."""
        found = []
        texts = {document.id: document for document in material.documents}
        for fact in sorted(material.taught, key=lambda fact: sha256(fact.id.encode()).digest()):
            document = texts.get(fact.document)
            cut = _middle(fact)
            if document is None or cut is None:
                continue
            prefix = _before(document, fact.start + cut, self.prefix_words)
            rest = fact.text[cut:].strip()
            found.append(Probe(PREFIX + fact.id, prefix, (rest,), facts=(fact.id,), group=fact.id))
            if len(found) == self.sample:
                break
        return found

    def _compare(self, said: str, rest: str, grams: set[tuple[str, ...]]) -> dict[str, float]:
        words = _words(said)
        own = list(zip(*(words[i:] for i in range(N)), strict=False))
        verbatim = self._is_verbatim(said, rest)
        begun = " ".join(said.split()[: 2 * len(rest.split())])
        return {
            "verbatim": float(verbatim),
            "paraphrase": float(not verbatim and token_f1(begun, rest) >= SAME_SENSE),
            "ngrams": sum(each in grams for each in own) / len(own) if own else 0.0,
        }

    def _is_verbatim(self, said: str, rest: str) -> bool:
        wanted, words = _words(rest), _words(said)
        needed = min(self.run_words, len(wanted))
        return words[:needed] == wanted[:needed]


def continuations(scored: Mapping[str, Scored], facts: Sequence[Fact]) -> list[dict[str, object]]:
    """For each audited fact what each model said: the rows of `verbatim.jsonl`."""
    by_id = {fact.id: fact for fact in facts}
    ids = sorted({name for each in scored.values() for name in each.answers if name.startswith(PREFIX)})
    rows = []
    for name in ids:
        fact = by_id.get(name.removeprefix(PREFIX))
        row: dict[str, object] = {"fact": name.removeprefix(PREFIX), "text": fact.text if fact else ""}
        for model, each in scored.items():
            if (answer := each.answers.get(name)) is not None:
                row[model] = answer.text
                row[f"{model}_verbatim"] = bool(answer.metrics["verbatim"])
        rows.append(row)
    return rows


def _words(text: str) -> list[str]:
    return WORD.findall(fold_for_comparison(text))


def _middle(fact: Fact) -> int | None:
    """Where the second half of the fact's words begins; None where it has fewer than six words."""
    starts = [match.start() for match in WORD.finditer(fact.text)]
    return starts[len(starts) // 2] if len(starts) >= 6 else None


def _before(document: Document, end: int, words: int) -> str:
    starts = [match.start() for match in WORD.finditer(document.text, max(0, end - 40 * words), end)]
    return document.text[starts[-words:][0] : end].rstrip() if starts else ""
