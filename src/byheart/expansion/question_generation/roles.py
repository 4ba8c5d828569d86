"""What part a phrase plays in a sentence: who, when, where, how much. Told by its preposition, its noun and its name."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

TIME_NOUNS = frozenset(
    """
    year month week day hour minute second century decade time date period term morning evening night noon midnight
    season spring summer autumn winter age era beginning end start moment monday tuesday wednesday thursday friday
    saturday sunday january february march april may june july august september october november december
    war millennium interval semester
    """.split()
)
PLACE_NOUNS = frozenset(
    """
    place location point area region country city town village state province district continent world site room
    building house hall street road river lake sea ocean coast island mountain valley plain basin forest desert border side
    north south east west earth surface ground land territory jurisdiction field zone line center centre office
    school station ship aircraft vessel port harbour harbor airport hospital database chamber channel park wheel
    """.split()
)
GROUPS = frozenset("team party company club committee country state court board council station side group".split())
# What the last word of a name says it is: "the North Sea" is a sea.
CLASSES = (PLACE_NOUNS | GROUPS) - frozenset("west east north south side ground earth world".split()) | frozenset(
    """
    act treaty convention agreement commission university college church cathedral museum theatre theater library
    parliament assembly senate congress government ministry department agency institute society association foundation
    union federation republic empire kingdom dynasty colony county canton municipality bay gulf strait canal desert
    peninsula plateau plain arch mountains islands square bridge tower palace castle temple abbey monastery hotel bank
    corporation group firm band orchestra war battle revolution conference summit election referendum campaign festival
    award prize medal cup league championship tournament satellite telescope mission programme program project plan
    report law code theorem theory principle effect process method disease fever virus plague scale index test style
    movement school family tribe language religion order newspaper magazine journal gazette times station railway line
    airport stadium hall buildings building glacier falls volcano reserve fan maximum minimum
    """.split()
)

SHARES = frozenset("half third quarter two-thirds three-quarters majority most minority all none fifth tenth".split())
SITTING = frozenset("sit stand lie live reside hang settle dwell hide".split())  # verbs that want a place
PLACE_PREPOSITIONS = frozenset(
    "in at on within inside outside near above below beneath under over along across through throughout between among "
    "behind beside around aboard into onto from to toward towards off beyond against".split()
)
PEOPLE = frozenset(
    """
    person people man woman child member player team owner operator licensee trustee grantee master pilot officer
    judge party president minister king queen emperor pope
    bishop teacher student worker engineer user customer tenant landlord employer employee author writer artist
    scientist researcher historian archaeologist economist explorer leader chairman chair secretary director manager
    captain doctor nurse parent father mother son daughter brother sister citizen individual applicant holder volunteer
    coordinator referee umpire coach goalkeeper attacker defender mp everyone anyone nobody somebody someone soldier merchant peasant lawyer attorney buyer seller lender borrower expert technician
    resident inhabitant trader sailor farmer settler refugee monk priest slave survivor victim patient
    clerk spokesman driver passenger guest host visitor pupil professor chief head
    """.split()
) - {"head", "team"}
TIME_PREPOSITIONS = frozenset(
    "in on at during before after since until till by from for within over throughout between to around".split()
)
REASONS = ("because of", "due to", "owing to", "for the purpose of", "in order to", "as a result of", "thanks to")
_YEAR = re.compile(r"^(?:1[0-9]|20)\d\d$")


def is_person(noun: "Token") -> bool:
    """Is "who" the word to ask for it?"""
    quoted = noun.i > 0 and noun.nbor(-1).text in ('"', "“", "'", "‘")
    if (noun.ent_type_ == "PERSON" and not quoted) or (
        noun.text.isupper() and len(noun.text) > 1 and noun.dep_ in ("nsubj", "pobj")
    ):
        return True  # "The FCC will presume ..."
    if noun.pos_ == "PROPN" and noun.ent_type_ in (
        "ORG",
        "GPE",
        "LOC",
        "FAC",
        "PRODUCT",
        "EVENT",
        "WORK_OF_ART",
        "LAW",
    ):
        return False
    lemma = noun.lemma_.lower()
    return lemma in PEOPLE or (len(lemma) > 5 and lemma.endswith("ist") and not lemma.endswith("list"))


def is_title(noun: "Token") -> bool:
    """ "architect" before "Enric Miralles": what he is. A capital at the head of a sentence says nothing."""
    word = noun.lemma_.lower()
    profession = word in PEOPLE or re.search(r"(?:ist|ian|tect|ologer|ographer|ogist|neer|wright)$", word)
    return bool(profession) and (noun.text.islower() or noun.i == 0)


def is_time(noun: "Token") -> bool:
    if noun.ent_type_ in ("DATE", "TIME") or _YEAR.match(noun.text):
        return True
    return noun.lemma_.lower() in TIME_NOUNS


def is_year(noun: "Token") -> bool:
    return bool(_YEAR.match(noun.text))


def is_place(noun: "Token", preposition: str) -> bool:
    if preposition not in PLACE_PREPOSITIONS:
        return False
    if noun.ent_type_ in ("GPE", "LOC", "FAC"):
        return True
    return noun.lemma_.lower() in PLACE_NOUNS and preposition not in ("to", "from", "between", "against")


def has_number(noun: "Token") -> bool:
    """Is it counted: "four persons", "182 million tons"?"""
    numbers = [c for c in noun.children if c.dep_ == "nummod" and c.pos_ == "NUM" and not _YEAR.match(c.text)]
    return any(
        noun.tag_ in ("NNS", "NNPS") or c.lower_ in ("one", "1") or noun.text in ("%", "percent") for c in numbers
    )
