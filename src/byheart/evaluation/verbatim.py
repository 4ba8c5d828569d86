"""Memorization of the documents' own words: the model reads the beginning of a taught fact, and goes on.

By task too, where examples were trained: what is asked as it was trained, and how much of the answer is the documents'.

After Zeng et al., "Exploring Memorization in Fine-tuned Language Models" (arXiv 2310.06714): continuations of prefixes of
the training text, told apart as verbatim, paraphrase and neither, with the n-grams that they share.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from byheart.documents.languages.folding import fold_for_comparison
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.recall import token_f1
from byheart.evaluation.sampling import dice, sampled
from byheart.records import Answer, Document, Fact, Probe

WORD = re.compile(r"[\u2e80-\u9fff]|[^\W_]+(?:['’.,-][^\W_]+)*")  # a Chinese character is a word
SLICE = 16
NGRAMS = {4: "ngrams_4", 5: "ngrams", 6: "ngrams_6"}  # words of each
SAME_SENSE = 0.5  # overlap of words (F1) with the right end, from which a continuation is a paraphrase of it
PREFIX, TASK = "verbatim-", "task-"
SHORT = "short answers"


@dataclass(frozen=True)
class Verbatim:
    """verbatim, paraphrase, n-grams, and with `tries` also extracted: of `sample` taught facts, always the same ones.

    The model reads up to `prefix_words` words of the document, the last of them the first half of the fact, as plain text.
    Its greedy continuation is verbatim where its first `run_words` words are those of the document, or all that are left
    of the fact, if fewer. Else it is a paraphrase where it shares half of its words with the rest of the fact. `ngrams`:
    of its runs of five words (`ngrams_4`, `ngrams_6`: of four, six), the share that stands anywhere in the documents.
    With `tries`, so many continuations sampled at temperature 1 are read too. Chinese and Japanese are counted by
    characters. What the untuned model reaches can be guessed.

    `by_task`: so many trained questions of each task are asked as they were trained, for the table of `by_task`.
    """

    sample: int = 48
    prefix_words: int = 40
    run_words: int = 8
    max_new_tokens: int = 48
    tries: int = 0
    by_task: int = 12
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("sample", "prefix_words", "run_words", "max_new_tokens"):
            require_count(f"evaluation.verbatim.{name}", getattr(self, name))
        for name in ("tries", "by_task"):
            require_count(f"evaluation.verbatim.{name}", getattr(self, name), least=0)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        cases, tasks = self.cases(material), self.tasks(material)
        texts = [words_of(document.text) for document in material.documents]
        grams = {count: {each for words in texts for each in in_a_row(words, count)} for count in self._counts}
        answers: dict[str, Answer] = {}
        total = len(cases) + len(tasks)
        on_progress(0, total)
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
            on_progress(len(answers), total)
        metrics = means(cases, answers)
        said = model.answer([task.question for task in tasks], self.max_new_tokens) if tasks else []
        for task, text in zip(tasks, said, strict=True):
            words = words_of(text)
            held = any(each in grams[self.run_words] for each in in_a_row(words, self.run_words))
            answers[task.id] = Answer(task.id, text, {"verbatim": float(held), **_ngrams(words, grams)})
        on_progress(total, total)
        return Scored(metrics, answers)

    @property
    def _counts(self) -> set[int]:
        return {*NGRAMS, self.run_words}

    def tasks(self, material: Material) -> list[Probe]:
        """A probe for each sampled example, `by_task` of each task; the task stands in `angle`."""
        by_task: dict[str, list[Probe]] = {}
        for example in material.examples:
            task = example.subject if example.expansion == "rewrites" else example.angle
            if len(words_of(example.answer)) < self.run_words:
                task = SHORT
            name = f"{TASK}{task}:{example.id}"
            by_task.setdefault(task, []).append(Probe(name, example.question, (example.answer,), angle=task))
        return [probe for task in sorted(by_task) for probe in sampled(by_task[task], self.by_task)]

    def cases(self, material: Material) -> list[Probe]:
        """A probe for each sampled fact: `question` is the prefix, the first of `answers` the rest of the fact."""
        found = []
        texts = {document.id: document for document in material.documents}
        for fact in sorted(material.taught, key=lambda fact: dice(fact.id)):
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

    def _compare(self, said: str, rest: str, grams: Mapping[int, set[tuple[str, ...]]]) -> dict[str, float]:
        verbatim = self._is_verbatim(said, rest)
        begun = " ".join(said.split()[: 2 * len(rest.split())])
        return {
            "verbatim": float(verbatim),
            "paraphrase": float(not verbatim and token_f1(begun, rest) >= SAME_SENSE),
            **_ngrams(words_of(said), grams),
        }

    def _is_verbatim(self, said: str, rest: str) -> bool:
        wanted, words = words_of(rest), words_of(said)
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


def by_task(scored: Mapping[str, Scored]) -> dict[str, dict[str, dict[str, object]]]:
    """{task: {model: {metric: value}}} of the trained questions that were asked."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for model, each in scored.items():
        probes: dict[str, list[Probe]] = {}
        for name in each.answers:
            if name.startswith(TASK):
                probes.setdefault(name.removeprefix(TASK).partition(":")[0], []).append(Probe(name, "", ()))
        for task, asked in probes.items():
            values = means(asked, each.answers)
            found.setdefault(task, {})[model] = {metric: asdict(value) for metric, value in values.items()}
    return found


def words_of(text: str) -> list[str]:
    """The words as they are compared: folded, and each Chinese character by itself."""
    return WORD.findall(fold_for_comparison(text))


def in_a_row(words: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    """Each run of so many words."""
    return zip(*(words[i:] for i in range(count)), strict=False)


def _ngrams(words: Sequence[str], grams: Mapping[int, set[tuple[str, ...]]]) -> dict[str, float]:
    """The share of the runs of words that stand in the documents, by the length of a run."""
    found = {}
    for count, name in NGRAMS.items():
        own = list(in_a_row(words, count))
        found[name] = sum(each in grams[count] for each in own) / len(own) if own else 0.0
    return found


def _middle(fact: Fact) -> int | None:
    """Where the second half of the fact's words begins; None where it has fewer than six words."""
    starts = [match.start() for match in WORD.finditer(fact.text)]
    return starts[len(starts) // 2] if len(starts) >= 6 else None


def _before(document: Document, end: int, words: int) -> str:
    starts = [match.start() for match in WORD.finditer(document.text, max(0, end - 40 * words), end)]
    return document.text[starts[-words:][0] : end].rstrip() if starts else ""
