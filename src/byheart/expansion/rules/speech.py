"""Examples from what speakers say: every question and statement names the speaker, whose "I" is never the model's own."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from byheart.documents.blocks import SPEECH
from byheart.documents.languages.language import UNSPACED, count_words
from byheart.documents.speech.words import named
from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.wording import FINITE, NOUNS, SUBJECTS, capital, child_of, small, text_of
from byheart.expansion.rules.phrases import bare_words, cuts, key_phrases, number_phrases, stopped
from byheart.expansion.rules.questions import BLANK, Draft
from byheart.records import FORWARD, NEITHER, REVERSE, Fact

if TYPE_CHECKING:
    from spacy.tokens import Doc

# What only the speaker, the listener or the hour gives a meaning.
_PERSONAL = re.compile(
    r"\b(?:I|me|my|mine|myself|we|us|our|ours|ourselves|you|your|yours|yourself|here|there|now|today|tonight|tomorrow|yesterday|ago|this|"
    r"that (?:one|time|way|case|day|year|point|moment|place|kind|sort|much|long|stuff|thing)|these|those|it|its|they|them|their|he|him|his|she|her|hers|ones?|such|the same|(?:I|we|you)['’]\w+)\b",
    re.IGNORECASE,
)
# With a comma behind: "um" and "er" are words of German.
_FILLERS = re.compile(r"(?:(?<=[,.;!?…] )|^)(?:um+|uh+|uhm+|er|erm|h+m+|äh|ähm|euh)\b(?:,|\.\.\.|…)\s*", re.IGNORECASE)
_NAMED = re.compile(r"\bthe (?=(\w+))")
_OPENING = re.compile(
    r"^(?:(?:hi|hello|hey|so|well|and|but|okay|ok|right|oh|yeah|now|look|you know|i mean|i think|i guess|also|then|alright|great|thanks|sure|exactly)\b,?\s+)+"
    r"(?=\S+\s)",
    re.IGNORECASE,
)
_LETTERS = {"Q": "the interviewer", "A": "the interviewee"}
QUOTED = 40  # words of a turn that are quoted whole
MOST_ANSWER = 40  # words of an answer to a question
_QUESTION = re.compile(r"[?？؟][\"”’»)]*$")
_OPEN = re.compile(r"^(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)
_CONDITION = re.compile(r"(if|when|whenever|unless|once|after|before|until|while|where)\b", re.IGNORECASE)


def spoken(text: str) -> str:
    """The words of a speaker on one line, without "um", and "So, " before them."""
    words = " ".join(_FILLERS.sub("", " ".join(text.split())).split())
    bare = _OPENING.sub("", words)
    return capital(bare if len(bare.split()) > 1 else words)


class Speech:
    """What is said in all documents: a question and its answer are two facts, which must be known together."""

    def __init__(self, facts: Sequence[Fact], parsed: "Mapping[str, Doc]"):
        """`parsed`: what each speaker says, by fact id, where a parser reads it."""
        self._answers: dict[str, Fact] = {}
        self._questions: dict[str, Fact] = {}
        own = [fact for fact in facts if fact.kind == SPEECH]
        self._topics = {fact.id: topic for fact in own if fact.id in parsed and (topic := topic_of(parsed[fact.id]))}
        self._told = Counter(
            (fact.document, fact.label, bare_words(topic)) for fact in own if (topic := self._topics.get(fact.id, ""))
        )
        named: set[tuple[str, str]] = set()  # "the host", by document
        for fact in facts if own else ():
            named |= {(fact.document, word) for word in _NAMED.findall(fact.text.lower())}
        self._said = Counter((fact.document, bare_words(spoken(fact.text))) for fact in own)
        self._begun = Counter(
            (fact.document, fact.label, words[:end])
            for fact in own
            for words in [spoken(fact.text)]
            for end in _ends_of_words(words)
        )
        bearers = self._bearers = {(fact.document, fact.label) for fact in own}
        self._speakers = Counter(document for document, _ in bearers)
        self._roles = {
            (document, label) for document, label in bearers if label.isalpha() and (document, label.lower()) in named
        }
        for fact, after in pairwise(facts):
            follows = fact.kind == after.kind == SPEECH and fact.document == after.document
            if follows and fact.headings == after.headings and fact.label != after.label and _asks(fact.text):
                self._answers[fact.id], self._questions[after.id] = after, fact

    def families(
        self, fact: Fact, place: Citation, parsed: "Doc | None", asked: Sequence[Draft]
    ) -> dict[str, list[Draft]]:
        """Drafts by the names of the rules' families. `parsed` is the speaker's statement, None where no parser reads it;
        `asked` are the questions read off it."""
        words, who = spoken(fact.text), self._named(fact)
        asking = _asks(words)
        said = [*self._exchange(fact, who), *self._topic(fact, words, who)]
        drafts: dict[str, list[Draft]] = {
            "asked": said + [attributed(one, who) for one in asked if not asking and stands_alone(one, words)],
            "recitation": self._recite(fact, words, who),
            "completion": [
                Draft("completion", FORWARD, f"Complete {_what(who, asking)}: “{begun} …”", words[cut:], begun)
                for cut, begun in _halves(words)
                if len(rest := words[cut:].strip(" .?!")) > 2 and not _PERSONAL.fullmatch(rest)
                if len(begun) > 3 or UNSPACED.search(begun)
            ],
            "blank": _blanks(words, who, key_phrases(parsed) if parsed is not None else number_phrases(words)),
            "before": [] if asking else _before(words, who),
            "source": [],
        }
        if self._said[fact.document, bare_words(words)] == 1:
            if self._speakers[fact.document] > 1:
                drafts["source"] += _who(words, stopped(_first(who)))
            asked_of = _end(f"In which document does {who} {'ask' if asking else 'say'} {_quoted(words)}")
            drafts["source"].append(Draft("source", NEITHER, asked_of, place.title, words, cited=False))
        return drafts

    def _named(self, fact: Fact) -> str:
        """The speaker within a sentence: "the ferryman", where others call him so."""
        if fact.label in _LETTERS and all((fact.document, letter) in self._bearers for letter in _LETTERS):
            return _LETTERS[fact.label]
        return f"the {fact.label.lower()}" if (fact.document, fact.label) in self._roles else named(fact.label)

    def _topic(self, fact: Fact, words: str, who: str) -> list[Draft]:
        """ "What does Petra Lindqvist say about a black plug?", where she says one thing about it."""
        topic = self._topics.get(fact.id)
        if not topic or self._told[fact.document, fact.label, bare_words(topic)] > 1 or _PERSONAL.search(words):
            return []
        return [Draft("detailed", FORWARD, f"What does {who} say about {topic}?", words, topic)]

    def _recite(self, fact: Fact, words: str, who: str) -> list[Draft]:
        """By its first words, as many as no other sentence of the speaker begins with."""
        parts = list(words) if UNSPACED.search(words) else words.split()
        blank = "" if UNSPACED.search(words) else " "
        speaker = capital(who[4:]) if who.startswith("the ") else _first(who)
        least = min(8, len(parts) // 2) if not blank else 4 if len(parts) > 5 else 2
        for count in range(max(1, least), len(parts)):
            begun = blank.join(parts[:count])
            if self._begun[fact.document, fact.label, begun] == 1:
                what = f"question that {who} asks" if _asks(words) else f"sentence that {who} says"
                asked = f"Recite the {what} and that begins “{begun}”."
                return [Draft("recitation", FORWARD, asked, f"{speaker}: {words}", begun)]
        return []

    def _exchange(self, fact: Fact, who: str) -> list[Draft]:
        """A question of one speaker with the answer of the next."""
        drafts: list[Draft] = []
        if (reply := self._answers.get(fact.id)) and len(reply.text.split()) <= MOST_ANSWER:
            question, answer, other = spoken(fact.text), spoken(reply.text), self._named(reply)
            drafts.append(
                Draft(
                    "simple", FORWARD, f"{_first(who)} asks: “{question}” What does {other} answer?", answer, question
                )
            )
            plain = question[:1].lower() + question[1:]
            if (
                _OPEN.match(question)
                and question.count("?") == 1
                and not _PERSONAL.search(f"{question} {answer}")
                and not _asks(answer)
            ):
                asked = f"According to {other}, {plain}"
                drafts.insert(0, Draft("simple", FORWARD, asked, answer, question))
        if asked_by := self._questions.get(fact.id):
            asking, words = self._named(asked_by), spoken(fact.text)
            if len(words.split()) <= QUOTED and self._said[fact.document, bare_words(words)] == 1:
                asked = _end(f"Which question of {asking} does {who} answer with {_quoted(words)}")
                drafts.append(Draft("reverse", REVERSE, asked, spoken(asked_by.text), words))
        return drafts


def stands_alone(draft: Draft, words: str) -> bool:
    """Whether a question and its answer need neither the speaker's "I" nor what was said before, and keep the condition."""
    both = f"{draft.question} {draft.answer}"
    condition = _CONDITION.match(words)
    kept = condition is None or condition[1].lower() in both.lower().split()
    vague = re.search(r"\bwhat means\b", draft.question, re.I) or re.match(r"(?:Yes|No), ", draft.answer)
    return kept and not vague and not _PERSONAL.search(both)


def attributed(draft: Draft, who: str) -> Draft:
    """ "According to Petra Lindqvist, what does old fuel leave in the carburettor?" """
    return replace(draft, question=f"According to {who}, {_lower(draft.question)}", free=False)


def _lower(question: str) -> str:
    first = question.split(maxsplit=1)[0].rstrip(",") if question.split() else ""
    asks = first.lower() in (
        "who whom whose what which when where why how in on at for to from by with if is are was were do does did can may must will has have "
        "should under of after before during into as".split()
    )
    return question[:1].lower() + question[1:] if asks else small(question)


def topic_of(parsed: "Doc") -> str:
    """The subject of a single statement, as a question names it: "a black plug"; "" where it is a pronoun or a whole clause."""
    roots = [token for token in parsed if token.dep_ == "ROOT"]
    subject = (
        child_of(roots[0], *SUBJECTS) if len(roots) == 1 and roots[0].tag_ in (*FINITE, "VB", "VBN", "VBG") else None
    )
    if subject is None or subject.pos_ not in NOUNS or subject.left_edge.i or _asks(parsed.text):
        return ""
    if subject.doc[0].pos_ == "NUM" or subject.doc[0].lower_ in (
        "some",
        "many",
        "most",
        "all",
        "few",
        "several",
        "both",
        "half",
        "one",
    ):
        return ""  # "Forty men are in the water": of which men?
    if subject.doc[0].pos_ == "PROPN" and subject.pos_ == "NOUN":
        return ""  # "Dry grease", "Edison lamps": whether the capital is a name's is not known
    topic = text_of(subject)
    return (
        topic
        if len(topic.split()) <= 7
        and not _PERSONAL.search(topic)
        and not re.match(r"(?:no|any|every|each)\b", topic, re.I)
        else ""
    )


def _ends_of_words(words: str) -> list[int]:
    """Where a quotation of its beginning may end: in the first 200 signs, behind a word (in scripts without blanks, anywhere)."""
    if UNSPACED.search(words):
        return list(range(1, min(len(words), 40)))
    return [match.end() for match in re.finditer(r"\S+", words[:200])]


def _who(words: str, answer: str) -> list[Draft]:
    asked = _end(f"Who {'asks' if _asks(words) else 'says'}: {_quoted(words)}")
    drafts = [Draft("reverse", REVERSE, asked, answer, words)]
    for cut in cuts(words)[:1] if not _asks(words) else []:
        half = words[cut:].rstrip(".。")
        if len(half.split()) >= 5:
            drafts.append(Draft("reverse", REVERSE, _end(f"Whose words are {_quoted(half)}"), answer, half))
    return drafts


def _first(who: str) -> str:
    """The speaker at the beginning of a sentence; a nickname keeps its small letter."""
    return capital(who) if who.startswith(("the ", "speaker ")) else who


def _what(who: str, asking: bool) -> str:
    return f"the question that {who} asks" if asking else f"what {who} says"


def _halves(words: str) -> list[tuple[int, str]]:
    return [(cut, words[:cut].rstrip()) for cut in cuts(words)]


def _blanks(words: str, who: str, phrases: Sequence[tuple[int, int]]) -> list[Draft]:
    if len(words.split()) < 4 and not UNSPACED.search(words):
        return []
    return [
        Draft(
            "blank",
            FORWARD,
            f"Fill in the blank. {_first(who)}: “{words[:a]}{BLANK}{words[b:]}”",
            words[a:b],
            words[:a] + words[b:],
        )
        for a, b in phrases
    ]


def _before(words: str, who: str) -> list[Draft]:
    drafts = []
    for cut, begun in _halves(words):
        rest = words[cut:].rstrip(".。")
        if max(len(rest.split()), count_words(rest) if UNSPACED.search(rest) else 0) >= 3:
            asked = _end(f"What does {who} say before {_quoted(rest)}")
            drafts.append(Draft("before", NEITHER, asked, begun.rstrip(" ,，、"), rest))
    return drafts


def _quoted(words: str) -> str:
    return f"“{words.rstrip('.。')}”"


def _end(question: str) -> str:
    """With a question mark, unless the words that it quotes end with one."""
    return question if question.endswith(("?”", "？”", "!”")) else f"{question}?"


def _asks(words: str) -> bool:
    return _QUESTION.search(words.rstrip()) is not None
