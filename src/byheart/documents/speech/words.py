"""The words by which a reader tells who speaks: roles, and labels that name no speaker."""

import re

# Who speaks, where no name is given. In a sentence they have an article: "the host".
ROLES = frozenset(
    "host cohost co-host interviewer interviewee moderator narrator presenter reporter journalist guest operator chair chairman "
    "chairwoman chairperson speaker announcer audience student teacher professor doctor patient nurse customer agent caller "
    "officer judge witness counsel attorney lawyer clerk messenger ghost king queen prince princess servant soldier captain "
    "mother father man woman boy girl child participant respondent facilitator trainer coach analyst manager client seller buyer "
    "assistant user voice expert editor instructor lecturer member president minister secretary examiner candidate therapist "
    "pupil waiter guard sailor crowd chorus all both man woman person researcher panelist panellist questioner anchor commentator "
    "applicant visitor guide driver passenger pilot controller dispatcher player coach gravedigger lord lady nobleman citizen "
    "court bailiff jury foreman juror widow ferryman fisherman farmer duke duchess sheriff bishop maid neighbour neighbor priest monk stranger shepherd merchant".split()
)
_FOREIGN_ROLES = frozenset(
    "moderator moderatorin interviewerin sprecher sprecherin erzähler gast reporter journalistin animateur animatrice intervieweur invité "
    "invitée journaliste narrateur présentateur présentatrice entrevistador entrevistadora presentador presentadora locutor narrador "
    "entrevistado entrevistada periodista conduttore intervistatore intervistato giornalista ospite apresentador jornalista "
    "convidado ведущий ведущая журналист гость корреспондент 主持人 记者 記者 嘉宾 旁白 司会 聞き手 진행자 기자".split()
)
# Labels of documents, records, logs and notes, in any number. None of them is a speaker.
_FIELDS = frozenset(
    "transcript roundtable panel interview podcast episode conversation dialogue note notes nb warning caution danger important attention tip tips hint remark remarks comment comments example examples "
    "problem problems solution solutions question questions answer answers issue issues cause causes fix fixes fixed added "
    "changed removed deprecated security improved new updated update pros cons pro con advantage advantages disadvantage disadvantages "
    "strengths weaknesses opportunities threats input output result results step steps before after do don't dos don'ts claim evidence proof "
    "theorem lemma definition corollary remark price prices cost costs total subtotal size weight colour color height width length depth "
    "material date dates day time times duration hours author authors editor publisher title subtitle subject topic topics theme from to cc "
    "bcc re fwd sent received location place venue address phone tel fax email mail website url link links source sources reference "
    "references see figure fig table chart image photo picture photos caption credit ingredients ingredient method preparation directions "
    "instructions serves servings yield prep cook cooking category categories tag tags type kind status priority owner assignee "
    "action actions decision decisions agenda present absent apologies attendees participants minutes motion vote resolved "
    "name first-name last-name age sex gender nationality id number no model make version release branch commit risk risks mitigation "
    "impact likelihood info error errors warn debug trace fatal notice critical exception log server client worker system kernel "
    "request response summary abstract introduction overview background conclusion conclusions discussion purpose scope goal goals "
    "objective objectives requirement requirements usage syntax parameters parameter returns return raises args arguments default "
    "values value key keys english german french spanish latin translation meaning synonym antonym pronunciation origin etymology "
    "true false correct wrong incorrect monday tuesday wednesday thursday friday saturday sunday morning afternoon evening january february "
    "march april may june july august september october november december spring summer autumn winter north south east west breakfast "
    "lunch dinner snack effect symptoms symptom treatment diagnosis prognosis dose dosage storage contents features feature specification "
    "deliverable deadline budget estimate rating score grade marks level stage phase week month year chapter section part act scene page "
    "verse psalm line rule article clause paragraph item appendix exhibit case situation task exercise hypothesis observation conclusion "
    "premise reason fact myth reality rumour rumor truth q&a faq today yesterday tomorrow then now also however therefore remember fun "
    "hinweis achtung wichtig problem lösung frage antwort beispiel preis datum ort thema zutaten zubereitung vorteile nachteile "
    "remarque attention exemple prix lieu avantages inconvénients nota ejemplo precio fecha lugar ventajas desventajas".split()
)
_TALK = re.compile(
    r"\b(?:I|I['’](?:m|ve|d|ll)|me|my|mine|myself|we|us|our|you|your|yours|let['’]s)\b|[?？؟]\s*[\"”’»]?$"
    r"|^(?:yes|no|yeah|well|oh|right|okay|ok|thanks|thank you|hello|hi|hey|sure|exactly|so|um+|uh+|ja|nein|oui|non|sí|sim|да|нет|嗯|是的|对|はい)\b"
    r"|\b(?:ich|wir|uns|mir|mich|Ihnen|Sie|dir|dich|du|je|nous|vous|j['’]ai|moi|tu|yo|usted|ustedes|nosotros|io|noi|voi|eu|nós|você|"
    r"ik|wij|jij|jullie|jag|jeg|du|я|мы|вы|ты|мне|вас|вам)\b|[我你您们咱]|私|あなた|ですか|저는|제가",
)
_TALK_FLAGS = re.compile(_TALK.pattern, re.IGNORECASE)
_SHAPE = re.compile(
    r"(?:[^\W\d_a-zß-öø-ÿ][\w.'’-]*|d['’]\w+|de|del|della|da|dos|di|du|von|van|der|den|le|la|bin|ibn|al|el|y|e|und|and|&|of|the|for|\d{1,2})"
    r"(?:[ ,]+(?:[^\W\d_a-zß-öø-ÿ][\w.'’-]*|d['’]\w+|de|del|della|da|dos|di|du|von|van|der|den|le|la|bin|ibn|al|el|y|e|und|and|&|of|the|for|\d{1,2})){0,5}"
)
_TITLES = frozenset(
    "dr dr. mr mr. mrs mrs. ms ms. prof prof. sir dame lord lady st st. rev rev. capt capt. lt lt.".split()
)


def is_role(label: str) -> bool:
    """ "Host", "Speaker 1", "First Gravedigger", "Moderatorin"."""
    words = [word for word in label.casefold().replace(".", "").split() if not word.isdigit()]
    return bool(words) and (words[-1] in ROLES or words[-1] in _FOREIGN_ROLES or words[0] == "speaker")


def may_speak(label: str) -> bool:
    """Whether a label has the shape of a name or role, and is no field of a document ("Note", "Price")."""
    words = label.split()
    if not words or len(words) > 6 or len(label) > 50 or not _SHAPE.fullmatch(label):
        return False
    folded = [word.casefold().strip(".,") for word in words]
    if folded[0].isdigit() or folded[0] in ("and", "of", "und", "y", "e", "&"):
        return False
    if folded[0] == "the" and not (label.isupper() or ROLES & {*folded}):
        return False
    return not is_field(label)


def is_field(label: str) -> bool:
    """ "Note", "Step 1", "Total Price", "First name": a label that stands before all kinds of things."""
    words = [word.casefold().strip(".,") for word in label.split() if not word.isdigit()]
    return bool(words) and not is_role(label) and (words[-1] in _FIELDS or (len(words) < 3 and words[0] in _FIELDS))


def talks(words: str) -> bool:
    """Whether a turn is spoken to somebody: "I", "you", a question, "Yes, ..."."""
    return _TALK_FLAGS.search(words[:400]) is not None or words.rstrip('"”’» ').endswith(("?", "？", "؟"))


def readable(label: str, text: str) -> str:
    """The speaker as one writes a name: "Petra Lindqvist" for "PETRA LINDQVIST", but "PL" and "Q" as they stand."""
    label = " ".join(label.strip(" *_.,:–—-").split())
    label = re.sub(r"^the (?=\w)", "", label, flags=re.IGNORECASE)  # "THE WITNESS"
    if label.isupper() and len(label) <= 4:  # "Edna Marsh (EM)"
        letters_of = rf"((?:[A-Z][\w’'-]{{1,30}} ){{2,3}})\({re.escape(label)}\)"
        if whole := re.search(letters_of, text):
            return whole[1].strip()
    if turned := re.fullmatch(r"([^\s,]+), ([^\s,]+(?: [^\s,]+)?)", label):  # "Meier, Anna"
        label = f"{turned[2]} {turned[1]}"
    if label != label.upper() or label == label.lower():
        return label
    words = []
    for word in label.split():
        letters = sum(map(str.isalpha, word))
        known = is_role(word) or word.casefold() in _TITLES or re.search(rf"\b{re.escape(word.capitalize())}\b", text)
        short = letters == 3 and (not re.search("[AEIOUY]", word) or word in ("CEO", "CIO", "COO", "CMO", "CTO", "CFO"))
        initials = letters <= 2 or short or word.count(".") > 1
        words.append(word if initials and not known else re.sub(r"[^\W\d_]+", lambda part: part[0].capitalize(), word))
    return " ".join(
        word.lower() if word.casefold() in ("of", "the", "and", "von", "van", "de") else word for word in words
    )


def named(label: str) -> str:
    """The speaker within a sentence: "the host", "speaker B", else the name."""
    if len(label) == 1 and label.isalpha() and label.isascii():
        return f"speaker {label}"
    words = label.split()
    if len(words) > 2 and words[0].casefold() in ROLES and words[1] in ("of", "for"):
        return f"the {label}"
    if (
        is_role(label)
        and not label[-1:].isdigit()
        and words[-1].casefold() in ROLES - {"all", "both"}
        and len(words) <= 2
    ):
        return f"the {label.lower()}"
    return label
