"""Transcripts, interviews, chats, plays and subtitles, rewritten as one paragraph a turn: "Speaker: words".

Times, cue numbers and short stage directions are left out and counted. Any other text comes back as it is.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from byheart.documents.blocks import Heading, Line
from byheart.documents.pairs.question_words import ROLES as LABELS_OF_PAIRS
from byheart.documents.speech.heads import STAMP, Head, find_heads, is_stamp, read_stamp, unknown_labels, without_marks
from byheart.documents.speech.marks import TURN, is_small_talk, join_lines, without_lookalikes, write_turn
from byheart.documents.speech.subtitles import UNPUNCTUATED, is_subtitles, is_unpunctuated, pieces, read_subtitles
from byheart.documents.speech.words import readable
from byheart.documents.structure.outline import find_fenced, find_headings, outline
from byheart.records import LeftOut, counted

_BRACKETED = re.compile(r"[_*]{0,2}(?:\[[^\[\]]*\]|\([^()]*\))[_*]{0,2}[.]?")
_DIRECTION = re.compile(
    r"(?:(?<=^)|(?<=[.!?…—–] ))[_*]{0,2}(?:\[[^\[\]\n]{1,60}\]|\((?:[\w’'-]{1,20} ?){1,3}\))[_*]{0,2}[ \t]*"
)
_SOUND = re.compile(
    r"[\[(](?:\w+ )?(?:music|applause|laughter|laughs?|laughing|chuckles?|inaudible|crosstalk|unintelligible|silence|pause|coughs?|sighs?|"
    r"clears throat|indistinct|beep|ringing|cheering|gelächter|applaus|rires|risas|musik|musique|música)(?: [\w:]+)?[\])]",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"<?(?:media|image|video|audio|sticker|gif|document|photo|bild|foto|archivo|imagen)[\w ]{0,20}(?:omitted|weggelassen|ausgeschlossen|omitido|omitida|omis|absente)>?"
    r"|(?:this message was|you) deleted(?: this message)?\.?|missed (?:voice|video) call|\S{1,80} \((?:file attached|datei angehängt|archivo adjunto|fichier joint)\)|(?::[\w+-]{1,30}:[ ]?)+"
    r"|(?:\w+ )?joined(?: the channel| using this group's invite link)?\.?",
    re.IGNORECASE,
)
_EDITED = re.compile(r"[ \t]*(?:<This message was edited>|\(edited\)|\(bearbeitet\))[ \t]*$", re.IGNORECASE)
_SCENE = re.compile(
    r"(?:(?P<act>ACT|AKT|ACTE|ACTO|ATTO|PROLOGUE|EPILOGUE|Act|Akt|Prologue|Epilogue)|SCENE|SZENE|SC[ÈE]NE|ESCENA|SCENA|Scene|Szene)\b[ .:]*"
    r"(?:[IVXLC]{1,6}\b|\d{1,2}\b|THE \w+|One|Two|Three|Four|Five|FIRST|SECOND|THIRD)?[.:,–—-]?(?: [^\n]{0,100})?"
)
_STAGE = re.compile(
    r"(?:an? )?(?:long |short )?(?:pause|silence|beat|curtain|blackout|lights? (?:fade|out|up|down)[^\n]{0,60})\.?"
    r"|(?:Enter|Exit|Exeunt|Re-enter)\b[^\n]{0,120}",
    re.IGNORECASE,
)
ENDS = re.compile(r"[.!?…。！？:;,][\"”’»)\]*_]*$")
_REMARK = re.compile(r"[^.!?…。！？]+[.!?…。！？]*[\"”’»)]*")
LONGEST_CHAPTER = 10  # words


@dataclass
class Writing:
    """The text as it is written: paragraphs, and the turn that is open."""

    names: Mapping[str, str]  # as the file has them: as one reads them
    parts: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    speaker: str = ""  # of the paragraph that comes next
    words: list[str] = field(default_factory=list)

    def close(self) -> None:
        words = join_lines(self.words)
        self.words = []
        sounds = len(_SOUND.findall(words))
        words = re.sub(rf"[ \t]*{_SOUND.pattern}(?=[ \t]*[,.;])|{_SOUND.pattern}[ \t]*", "", words, flags=re.IGNORECASE)
        words, directions = _DIRECTION.subn("", words)
        self.counts["sounds"] += sounds
        self.counts["stage directions"] += directions
        if not any(map(str.isalnum, words)):
            self.counts["turns without words"] += bool(words)
        elif self.speaker:
            self.parts.append(write_turn(self.speaker, words.strip()))
        else:
            self.parts.append(words.strip())

    def head(self, title: str, level: int) -> None:
        """A heading, with the marks of Markdown: a text in which some headings have marks has no others."""
        self.put(f"{'#' * max(1, min(level, 6))} {title}")
        self.speaker = ""

    def put(self, paragraph: str) -> None:
        """A paragraph that nobody speaks."""
        if self.words:
            self.close()
        if paragraph.strip():
            self.parts.append(paragraph)


def read_speech(text: str, title: str = "") -> tuple[str, str, list[str | LeftOut]]:
    """(text, title, remarks). Where people speak, each paragraph of a turn is a line "Speaker: words"."""
    text = without_lookalikes(text)
    counts: Counter[str] = Counter()
    remarks: list[str] = []
    timed = is_subtitles(text)
    if timed:
        text, title, counts, remarks = read_subtitles(text)
    lines = text.split("\n")
    fences = "```" in text or "~~~" in text
    passed = frozenset(find_fenced([Line(0, len(line), line) for line in lines])) if fences else frozenset()
    heads = find_heads(lines, passed, timed)
    if heads and is_asked_and_answered(text, title, heads):
        heads = {}
    if heads:
        text, counts = rewritten(text, title, heads, counts, passed)
        if title and any(without_marks(lines[at]).startswith(title) for at in heads):
            title = ""
    elif not timed:
        text, counts["times"], remarks = without_times(lines, passed)
    small = small_talk(text)
    gone: list[str | LeftOut] = [LeftOut(kind, number) for kind, number in counts.items() if number]
    if small:
        gone.append(f"small talk, no fact of its own: {counted(small, 'remark')}")
    return text, title, [*gone, *remarks]


def is_asked_and_answered(text: str, title: str, heads: Mapping[int, Head]) -> bool:
    """Whether "Q:" and "A:" are the questions and answers of a list, which are pairs and no talk."""
    names = [re.sub(r"[ .]?\d+$", "", head.name).casefold() for head in heads.values()]
    if sum(name in LABELS_OF_PAIRS for name in names) < 0.6 * len(names):
        return False
    return any(block.question for block in outline(text, title).blocks)


def rewritten(
    text: str, title: str, heads: Mapping[int, Head], counts: Counter[str], passed: frozenset[int]
) -> tuple[str, Counter[str]]:
    """The text turn by turn, and what was left out. `passed`: lines of code."""
    lines = text.split("\n")
    names = {name: readable(name, text) for name in {head.name for head in heads.values()}}
    writing = Writing(names, counts=counts)
    headings = headings_of(lines, heads, title)
    first, last = min(heads), max(heads)
    chat = sum(head.dated for head in heads.values()) > 0.5 * len(heads)
    times = sum(bool(head.times) for head in heads.values()) + sum(map(is_stamp, lines))
    stamped = times > 0.5 * len(heads)
    gap = paragraph_seen = False
    verbatim: list[str] = []
    unknown = unknown_labels(lines, heads)
    for at, line in enumerate(lines):
        if at in heads:
            head = heads[at]
            writing.put("\n".join(verbatim))
            verbatim, gap, paragraph_seen = [], False, False
            writing.counts["times"] += head.times
            writing.counts["remarks behind names"] += bool(head.aside)
            words = _EDITED.sub("", head.words)
            if _NOTICE.fullmatch(words):
                writing.counts["notices"] += 1
                words = ""
            writing.speaker, writing.words = names[head.name], [words] if words else []
            continue
        if at in passed:
            if writing.speaker:
                writing.put("")
                writing.speaker = ""
            verbatim.append(line)
            continue
        stamp, rest = read_stamp(without_marks(line)) if stamped else (None, line.strip())
        if stamp and not stamp["date"] and is_chapter(lines, at, rest, heads):
            writing.counts["times"] += 1
            writing.put("\n".join(verbatim))
            verbatim = []
            if rest:
                writing.head(rest, headings[at].level if at in headings else 2)
        elif stamp and rest and listed(lines, at, heads):
            writing.counts["lines of chapters"] += 1
        elif stamp and chat and rest and stamp["date"]:
            writing.counts["notices"] += 1
        elif at in headings:
            writing.put("\n".join(verbatim))
            verbatim = []
            writing.head(headings[at].title, headings[at].level)
        elif at < first or not writing.speaker or at in unknown:
            if at in unknown and writing.speaker:
                writing.put("")
                writing.speaker = ""
            if line.strip():
                verbatim.append(direction(line) if _BRACKETED.fullmatch(line.strip()) else line)
            elif verbatim:
                writing.put("\n".join(verbatim))
                verbatim = []
        elif not rest:
            writing.counts["times"] += bool(stamp)
            if not line.strip() and writing.words:
                writing.close()
                gap = paragraph_seen = True
        else:
            writing.counts["times"] += bool(stamp)
            if not writing.words and gap:
                gap = False
                if paragraph_seen and (at > last or not goes_on(rest, writing.speaker)):
                    writing.speaker = ""
                    verbatim = [direction(rest) if _BRACKETED.fullmatch(rest) else rest]
                    continue
            if not writing.words and (_BRACKETED.fullmatch(rest) or _STAGE.fullmatch(rest)):
                if len(rest.split()) < 3 or _SOUND.fullmatch(rest):
                    writing.counts["stage directions"] += 1
                else:
                    writing.put(direction(rest))
                continue
            writing.words.append(_EDITED.sub("", rest))
    writing.put("\n".join(verbatim))
    return "\n\n".join(writing.parts) + "\n", writing.counts


def direction(line: str) -> str:
    """A stage direction without its brackets."""
    words = line.strip(" *_.").strip("[]()").strip()
    return words if words.endswith((".", "!", "?")) else f"{words}."


def goes_on(paragraph: str, speaker: str) -> bool:
    """Whether a paragraph without a name is still the turn above: not where it speaks of the speaker or stands in italics."""
    name = speaker.split()[-1]
    aside = paragraph[:1] in "_*" and paragraph[-1:] in "_*"
    return not aside and not (len(name) > 2 and not name.isdigit() and re.search(rf"\b{re.escape(name)}\b", paragraph))


def headings_of(lines: Sequence[str], heads: Mapping[int, Head], title: str) -> dict[int, Heading]:
    """By index of its line, each heading (a name above its words is none), and the acts and scenes of a play."""
    rest = [Line(0, 0, "") if at in heads else Line(0, len(line), line) for at, line in enumerate(lines)]
    fenced = find_fenced(rest)
    start, placed = 0, []
    for one in rest:
        placed.append(Line(start, start + len(one.text), one.text))
        start += len(one.text) + 1
    found = find_headings(placed, fenced, title)
    named = {
        at: heading
        for at, heading in found.items()
        if lines[at].lstrip().startswith("#") or by_itself(lines, at, heads)
    }
    for at, line in enumerate(lines):
        if at not in heads and at not in fenced and (scene := _SCENE.fullmatch(line.strip(" #*_"))):
            named[at] = Heading(0, 0, 2 if scene["act"] else 3, line.strip(" #*_"))
    return named


def by_itself(lines: Sequence[str], at: int, heads: Mapping[int, Head]) -> bool:
    """Whether blank lines or turns are above and below."""
    above = at == 0 or not lines[at - 1].strip()
    below = at + 1 >= len(lines) or not lines[at + 1].strip() or at + 1 in heads
    return above and below


def is_chapter(lines: Sequence[str], at: int, rest: str, heads: Mapping[int, Head]) -> bool:
    """Whether a line with a time is the heading of a part: "03:15 The gear oil" alone, or behind "##"."""
    if re.match(r" {0,3}#", lines[at]):
        return True
    short = 0 < len(rest.split()) <= LONGEST_CHAPTER and not ENDS.search(rest) and rest[:1].isupper()
    return short and by_itself(lines, at, heads) and not rest.startswith(("[", "("))


def listed(lines: Sequence[str], at: int, heads: Mapping[int, Head]) -> bool:
    """Whether it is a line of a list of chapters: a time and a short title beside another such line."""

    def is_entry(number: int) -> bool:
        if not 0 <= number < len(lines) or number in heads:
            return False
        stamp, rest = read_stamp(without_marks(lines[number]))
        return stamp is not None and 0 < len(rest.split()) <= LONGEST_CHAPTER and not ENDS.search(rest)

    return is_entry(at) and (is_entry(at - 1) or is_entry(at + 1))


def without_times(lines: Sequence[str], passed: frozenset[int]) -> tuple[str, int, list[str]]:
    """A talk with times and no names: "0:03" on lines of their own, or "[00:00:03]" before the words. The times must rise
    from the first minutes on, so that verses, schedules and logs keep theirs."""
    stamps: dict[int, tuple[re.Match[str], str]] = {}
    for at, line in enumerate(lines):
        if (
            at not in passed
            and (bare := line.strip())
            and (bare[0] in "[(<" or bare[0].isdigit())
            and (match := STAMP.match(bare))
        ):
            stamp, rest = read_stamp(line.strip())
            if stamp and not stamp["date"] and (not rest or match[0][0] in "[("):
                stamps[at] = (stamp, rest)
    written = sum(bool(line.strip()) for line in lines)
    moments = [clock(match[0]) for match, _ in stamps.values()]
    rising = all(a <= b for a, b in pairwise(moments))
    words = " ".join(rest or (lines[at + 1].strip() if at + 1 < len(lines) else "") for at, (_, rest) in stamps.items())
    spoken = len(words.split()) >= 4 * len(stamps) and re.search(
        r"\b(?:I|you|we|our|my|ich|wir|Sie|je|vous|nous|yo|me)\b", words
    )
    if len(stamps) < 4 or len(stamps) < 0.3 * written or not rising or moments[0] > 600 or not spoken:
        return "\n".join(lines), 0, []
    kept = [
        stamps[at][1] if at in stamps else line for at, line in enumerate(lines) if at not in stamps or stamps[at][1]
    ]
    if is_unpunctuated("\n".join(kept)):
        return "\n\n".join(pieces(kept)) + "\n", len(stamps), [UNPUNCTUATED]
    return "\n".join(kept), len(stamps), []


def clock(stamp: str) -> float:
    """Seconds of "1:02:03" or "2:03"."""
    total = 0.0
    for part in re.findall(r"\d+", stamp.split("-")[0].split(",")[0].split(".")[0])[:3]:
        total = 60 * total + int(part)
    return total


def small_talk(text: str) -> int:
    """How many remarks of the turns state nothing."""
    count, asked = 0, False
    for line in text.split("\n") if ":\u00a0" in text else ():
        turn = TURN.match(line)
        remarks = _REMARK.findall(line, turn.end()) if turn else ()
        for remark in remarks:
            nothing = is_small_talk(remark, asked, alone=len(remarks) == 1)
            count += nothing
            asked = not nothing and remark.rstrip('"”’» ').endswith(("?", "？", "؟"))
    return count
