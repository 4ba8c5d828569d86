"""Is this word a verb? Told by its ending, its neighbours and a list of common forms; no tagger is needed."""

MODALS = frozenset("will would shall should may might must can could cannot to".split())
AUXILIARIES = frozenset("is are was were be been being has have had having does do did".split())
DETERMINERS = frozenset("a an the this that these those its his her their our my your each every any no some".split())

# Finite forms that follow a subject. Forms that are more often nouns ("use", "report", "form") are left out.
FINITE = frozenset(
    """
    became become becomes began begins began brings brought builds built buys bought catches caught chose chooses
    came comes contains comprises consists covers creates depends describes differs draws drew drove eats encompasses
    ensures establishes exceeds exists expires extends fell feels felt finds fought flew follows forms found gave gets gives got
    goes went grew grows happens held holds includes indicates involves keeps kept knew knows lasts lay leads leaves led lies
    lives loses lost made makes means meets met moves needs objects occurs opens owns paid plays prescribes prohibits provides
    ran reaches receives refers remains represents requires resides rises rose runs said saw says sees seeks sent serves sets
    shows sold speaks spent spends spoke spreads stands stood starts states struck suggests swam takes taught tells tends thinks thought
    threw told took tries turns understands understood wants wears won wore works writes wrote allows applies argues
    attributes begets believes belongs calls causes claims decides defines drives earns enters exercises explains fails
    gains helps joins learns marks notifies notes obtains offers passes performs permits prefers prevents produces proves
    pushes raises rejects relates relies retransmits returns scores sits sells stays submits supports survives teaches
    throws transmits travels treats uses wins progresses appears attends identifies
    spread spreads flows
    """.split()
)
# Base forms, looked for behind "we", "they" and plurals only in so far as they are hardly ever nouns.
BASE = frozenset(
    """
    accept achieve add allow appear apply argue ask attack attend become begin believe belong bring build buy carry
    choose come comply consist contain continue contribute create decide depend describe designate determine differ
    disappear encompass enhance ensure enter establish exist expand explain extend fail feel find follow get give
    go grow happen have hear help identify include increase indicate involve keep know lead learn leave let live lose make mean
    meet need notify obtain occur operate perform permit prevent produce prove provide reach receive refer reflect remain
    renew represent require retain retract send serve show speak spend stand submit suggest survive take teach tell tend
    think transmit travel understand want write
    """.split()
)
_NOT_PARTICIPLES = frozenset(
    "hundred need speed seed feed weed deed breed red bed shed wed bleed exceed proceed".split()
)
_NOT_GERUNDS = frozenset(
    "king ring thing spring string evening morning building being during wing nothing something anything everything".split()
)


def is_participle(word: str) -> bool:
    return word.islower() and word.endswith("ed") and len(word) > 3 and word not in _NOT_PARTICIPLES


def is_gerund(word: str) -> bool:
    return word.islower() and word.endswith("ing") and len(word) > 4 and word not in _NOT_GERUNDS


def is_adverb(word: str) -> bool:
    return (word.islower() and word.endswith("ly") and len(word) > 4) or word in (
        "often just almost ever never always sometimes perhaps even still yet again first once twice together apart "
        "elsewhere less far further instead later soon already now then indeed otherwise anywhere".split()
    )


def is_finite(word: str) -> bool:
    """Surely the verb of a clause: "became", "contains"."""
    return word in FINITE
