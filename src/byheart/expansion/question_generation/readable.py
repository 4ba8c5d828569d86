"""Mistakes of the parser that can be seen and not mended: a sentence with one is not asked about."""

from typing import TYPE_CHECKING

from byheart.expansion.question_generation.wording import FINITE, NOUNS, SUBJECTS, VERBS, WORDS, child_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_CONTENT = (
    "mean",
    "ensure",
    "require",
    "demand",
    "prove",
    "mind",
    "like",
    "let",
    "make",
    "help",
    "have",
    "see",
    "hear",
)
_OPENS_CONTENT = ("that", "whether", "if", "how", "what", "who", "which", "why", "where", "when")


def is_readable(doc: "Doc") -> bool:
    """Can the parse be right? A wrong one gives wrong questions, whatever is asked."""
    return not (any(_is_impossible(token) for token in doc) or _leaves_out_a_verb(doc))


def _is_impossible(token: "Token") -> bool:
    return (
        _lends_wrongly(token)
        or _changes_tense(token)
        or _has_no_object(token)
        or _is_unannounced(token)
        or _is_half_joined(token)
        or (token.dep_ == "dobj" and token.head.pos_ in NOUNS)
        or (
            token.tag_ == "PRP"
            and token.lower_ in ("it", "them", "him")
            and token.head.pos_ in NOUNS
            and token.dep_ not in SUBJECTS
        )
        or (token.dep_ in SUBJECTS and token.i < token.head.i < token.right_edge.i)
        or _has_no_subject(token)
        or (token.dep_ in SUBJECTS and token.tag_ in FINITE)
        or _is_subordinate(token)
        or _disagrees(token)
        or _is_second_half(token)
        or (token.dep_ in ("det", "amod", "nummod", "poss") and token.head.pos_ in VERBS and token.head.tag_ != "VBG")
        or _has_two_objects(token)
        or _is_repeated(token)
        or _is_listed_in_part(token)
        or _joins_across(token)
        or _is_half_contrast(token)
        or (token.dep_ in ("dobj", "oprd") and _is_behind_comma(token))
        or (
            token.dep_ == "conj" and token.head.pos_ == "ADJ" and token.tag_ in ("VB", *FINITE)
        )  # "leave it clean and close"
        or (
            token.dep_ == "quantmod" and token.lower_ in WORDS["shares"] and token.nbor().tag_ == "IN"
        )  # "by half between"
        or (token.dep_ == "intj" and token.is_title and token.lower_ not in ("yes", "no"))
        or (token.dep_ == "appos" and token.head.i == 0 and token.head.dep_ in SUBJECTS and _starts_with_article(token))
        or (
            token.dep_ == "prt"
            and any(c.dep_ == "prep" and c.i < token.i and c.i > token.head.i for c in token.head.children)
        )
        or (token.dep_ == "advcl" and token.i == 0 and token.tag_ == "VBG" and token.right_edge.i == 0)
        or (
            token.dep_ == "conj"
            and token.head.pos_ in VERBS
            and token.pos_ in (*NOUNS, "NUM")
            and token.head.lemma_ != "be"
        )
        or (token.dep_ in ("dep", "csubj", "csubjpass") and token.pos_ in VERBS and token.head.pos_ in VERBS)
    )


def _disagrees(verb: "Token") -> bool:
    """ "The service needs read access but never stores ...": a plural noun beside a verb in the singular, or the reverse."""
    shared = verb.dep_ == "conj" and child_of(verb, *SUBJECTS) is None
    subject = child_of(verb.head if shared else verb, *SUBJECTS)
    if verb.pos_ not in VERBS or subject is None or subject.pos_ != "NOUN" or subject.i > verb.i:
        return False
    helpers = [child for child in verb.children if child.dep_ in ("aux", "auxpass")]
    finite = min(helpers, key=lambda token: token.i) if helpers else verb
    counted = any(
        child.dep_ in ("conj", "nummod", "cc") or child.lower_ in ("of", "than") for child in subject.children
    )
    if finite.tag_ == "VBZ":
        return subject.tag_ == "NNS" and not counted and subject.lemma_ != subject.lower_
    collective = subject.lemma_.lower() in WORDS["bodies"] | WORDS["groups"] | WORDS["shares"] | {
        "majority",
        "number",
        "lot",
    }
    return finite.tag_ == "VBP" and finite.lower_ != "be" and subject.tag_ == "NN" and not counted and not collective


def _is_second_half(root: "Token") -> bool:
    """ "In that decade the canal silted up, and bridges were replaced": the first half was taken for something else."""
    subject = child_of(root, *SUBJECTS)
    if root.dep_ != "ROOT" or subject is None:
        return False
    return any(
        child.dep_ == "cc" and 0 < child.i < subject.left_edge.i and child.lower_ != "both" for child in root.children
    )


def _is_subordinate(root: "Token") -> bool:
    """ "After a power cut the stove restarts": the first noun was taken for the main verb."""
    mark = child_of(root, "mark") if root.dep_ == "ROOT" else None
    subjects = [child for child in root.children if child.dep_ in SUBJECTS]
    return mark is not None and mark.lower_ in WORDS["conditions"] and len(subjects) == 1


def _has_no_subject(verb: "Token") -> bool:
    """ "with the handlebars turned sideways": a participle taken for a clause."""
    if verb.dep_ != "advcl" or verb.tag_ != "VBD":
        return False
    return child_of(verb, *SUBJECTS, "mark", "aux", "auxpass") is None


def _lends_wrongly(verb: "Token") -> bool:
    """ "must make the station ... records": a plural noun taken for a verb that is joined to an infinitive."""
    lends = verb.dep_ == "conj" and verb.head.tag_ == "VB" and child_of(verb.head, "aux") is not None
    return lends and verb.tag_ in ("VBZ", "VBD") and child_of(verb, *SUBJECTS) is None


def _changes_tense(verb: "Token") -> bool:
    """ "are white, round and scored": a participle taken for a verb in the past."""
    shared = verb.dep_ == "conj" and child_of(verb, *SUBJECTS, "aux", "auxpass") is None
    helped = child_of(verb.head, "aux", "auxpass") is not None
    return shared and verb.tag_ == "VBD" and verb.head.tag_ in ("VBZ", "VBP") and not helped


def _starts_with_article(noun: "Token") -> bool:
    """ "Indoors an exposure can take an hour": an adverb in front, taken for the subject."""
    return noun.left_edge.lower_ in ("a", "an", "the") and noun.left_edge.i == 1


def _is_half_joined(preposition: "Token") -> bool:
    """ "the symptoms of hay fever and of nettle rash": the second half hangs on the verb; "in up to 1 in 10 people"."""
    if preposition.pos_ != "ADP" or preposition.dep_ not in ("prep", "conj") or not preposition.i:
        return False
    before = preposition.nbor(-1)
    joined = before.dep_ == "cc" and before.head.pos_ in VERBS and preposition.head.pos_ in VERBS
    return joined or (before.dep_ == "pobj" and before.like_num and any(c.like_num for c in preposition.subtree))


def _is_repeated(preposition: "Token") -> bool:
    """ "for four weeks and films for one week": a second phrase whose verb is not repeated."""
    joined = preposition.head
    if preposition.dep_ == "prep" and joined.pos_ in VERBS:
        twins = [
            c for c in joined.children if c.dep_ == "prep" and c.lower_ == preposition.lower_ and c.i < preposition.i
        ]
        return any(
            child_of(noun, "conj") is not None for twin in twins for noun in twin.children if noun.dep_ == "pobj"
        )
    if preposition.dep_ != "prep" or joined.dep_ != "conj" or joined.head.dep_ != "pobj":
        return False
    return joined.head.head.lower_ == preposition.lower_ != "of"


def _has_two_objects(verb: "Token") -> bool:
    """ "supports Python 3.9 and later", "A day ticket costs 5 euros": a name or a noun cut in two; and two subjects."""
    if verb.pos_ not in VERBS:
        return False
    objects = [child for child in verb.children if child.dep_ == "dobj"]
    subject = child_of(verb, *SUBJECTS)
    cut = subject is not None and any(
        child.dep_ == "npadvmod" and child.right_edge.i + 1 == subject.i and child.left_edge.tag_ == "DT"
        for child in verb.children
    )
    complements = [child for child in verb.children if child.dep_ == "attr"]
    subjects = [child for child in verb.children if child.dep_ in SUBJECTS and child.i < verb.i]
    doubled = len(complements) > 1 or (len(subjects) > 1 and subjects[0].left_edge.i == verb.left_edge.i)
    listed = len(objects) > 1 and any(token.text == "," for token in verb.doc[objects[0].i : objects[1].i])
    return cut or doubled or listed or (len(objects) > 1 and verb.lemma_ not in WORDS["giving"])


def _is_listed_in_part(noun: "Token") -> bool:
    """ "students, pensioners and the unemployed": a list whose last item is lost."""
    if noun.dep_ not in SUBJECTS or child_of(noun, "conj") is None:
        return False
    return all(token.dep_ != "cc" for token in noun.subtree)


def _is_behind_comma(noun: "Token") -> bool:
    """ "Books are lent for four weeks, films for one week": the subject of a second half without a verb."""
    start = noun.left_edge.i
    before = [child for child in noun.head.children if child.dep_ == "prep" and noun.head.i < child.i < start]
    return bool(before) and "," in (noun.doc[start].text, noun.doc[start - 1].text)


def _is_half_contrast(noun: "Token") -> bool:
    """ "clear to a depth of nine metres, but to four in summer because of algae": what stands behind belongs to one half."""
    if noun.dep_ != "conj" or noun.head.lemma_ != "be" or noun.pos_ not in (*NOUNS, "NUM"):
        return False
    return any(child.dep_ in ("prep", "advcl") and child.i > noun.i for child in noun.head.children)


def _joins_across(noun: "Token") -> bool:
    """ "to any station when sending reports and any station whose ...": joined to what stands in the clause between."""
    clause = next((above for above in noun.ancestors if above.dep_ in ("advcl", "relcl", "acl")), None)
    article = child_of(noun, "det")
    if noun.dep_ != "conj" or clause is None or article is None:
        return False
    alike = (t for t in noun.doc[: clause.left_edge.i] if t.lemma_ == noun.lemma_)
    inside = any(t.lemma_ == noun.lemma_ for t in noun.doc[clause.left_edge.i : noun.left_edge.i])
    return not inside and any(c.dep_ == "det" and c.lower_ == article.lower_ for t in alike for c in t.children)


def _has_no_object(token: "Token") -> bool:
    """ "until half an hour before closing time": a preposition that lost what it governs."""
    governs = any(child.i > token.i or child.dep_ in ("pobj", "pcomp") for child in token.children)
    stranded = token.head.dep_ in ("relcl", "xcomp", "acl", "advcl", "ccomp")
    about = token.lower_ in ("over", "under", "about", "around")
    measures = about and token.i + 1 < len(token.doc) and token.nbor().lower_ == "half"
    return token.dep_ == "prep" and token.tag_ == "IN" and not governs and not stranded and not measures


def _is_unannounced(verb: "Token") -> bool:
    """ "After a power cut the stove restarts": a clause without "that" under a verb that reports nothing."""
    if verb.dep_ != "ccomp" or verb.tag_ not in FINITE or child_of(verb, "mark") is not None:
        return False
    if any(token.lower_ in _OPENS_CONTENT for token in verb.doc[verb.left_edge.i : verb.i]):
        return False
    if verb.i < verb.head.i:
        return verb.head.lemma_ not in ("say", "write", "explain", "claim", "argue")
    return verb.head.lemma_ not in WORDS["saying"] | WORDS["reporting"] | set(_CONTENT)


def _leaves_out_a_verb(doc: "Doc") -> bool:
    """ "120 euros a night, in capital cities 160 euros": a second amount whose verb is not repeated."""
    counted = [t for t in doc if any(child.dep_ == "nummod" for child in t.children)]
    for number, noun in enumerate(counted):
        commas = [i for i in range(noun.i) if doc[i].text == ","]
        if not commas or all(other.lemma_ != noun.lemma_ or other.i > commas[-1] for other in counted[:number]):
            continue
        tail = doc[commas[-1] + 1 : noun.i]
        if len(tail) > 3 and tail[0].pos_ in ("ADP", "DET", "NOUN") and all(t.pos_ not in VERBS for t in tail):
            return True
    return False
