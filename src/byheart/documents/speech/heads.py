"""Where turns begin: "[00:00:03] HOST: words", "**Anna:** words", "HAMLET. Words", a name above the words, lines of chats.

Precision first: a glossary, a record, a log, a list of notes are lines "Word: words" too. In speech names come back,
turns alternate, and people say "I", "you" and ask.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from byheart.documents.speech.words import is_field, is_role, may_speak, talks

CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:[ \u00a0\u202f]?[AaPp]\.?[Mm]\.?(?!\w))?"
_MONTH = (
    r"(?:[Jj]an|[Ff]e[bv]|[Ff]év|[Mm]ar|[Mm]är|[Aa]pr|[Aa]vr|[Aa]br|[Mm]a[iyg]|[Jj]u[ni]|[Jj]ul|[Aa]ug|[Aa]o[uû]|[Aa]go|[Ss]ep|[Oo][ckt]t"
    r"|[Nn]ov|[Dd][eéi][czc])[a-zéû]{0,7}\.?"
)
_DATE = (
    rf"(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}|\d{{1,2}}\.\d{{1,2}}\.|\d{{1,2}}\.? {_MONTH}(?: \d{{4}})?|{_MONTH} \d{{1,2}}(?:, \d{{4}})?"
    r"|Today|Yesterday|Heute|Gestern|Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"
)
STAMP = re.compile(
    rf"[\[(<]?(?P<date>{_DATE}(?:,|T)?[ \u00a0]*(?:at |um |à )?)?{CLOCK}(?:[ ]*(?:-->|[-–—]|to)[ ]*{CLOCK})?[\])>]?[ \t]*(?:[-–—|][ \t]+)?"
)
_BEHIND = rf"(?:[ \t]*[-–—|,]?[ \t]*[\[(]?(?:{_DATE}(?:,|T)?[ ]*(?:at )?)?{CLOCK}(?:[ ]*[-–—][ ]*{CLOCK})?[\])]?)"
_ASIDE = r"(?:[ \t]*[\[(](?P<aside>[^\[\]()\n]{1,80})[\])])"
_NAME = r"(?P<name>[^\s:：<>|*_()\[\]{}#][^:：<>|*()\[\]{}\n]{0,59}?)"
_COLON = re.compile(
    rf"[*_]{{0,3}}{_NAME}[*_]{{0,3}}(?P<behind>{_BEHIND})?{_ASIDE}?[ \t]*[:：][*_]{{0,3}}(?=[ \t]|$|(?<=：)|[^\d/\s])[ \t]*"
)
_IRC = re.compile(r"<[@+%~& ]?(?P<name>[^\s<>]{1,30})>[ \t]+")
_PLAY = re.compile(
    rf"[_*]{{0,3}}(?P<name>[A-Z](?:[A-Z'’ -]|(?<=[A-Z])\. (?=[A-Z]))*[A-Z])[_*]{{0,3}}{_ASIDE}?(?:\.[_*]{{0,3}}|[ ]*[—–])[ \t]*(?=\S|$)"
)
_ALONE = re.compile(rf"[*_]{{0,3}}{_NAME}[*_:]{{0,4}}(?P<behind>{_BEHIND})?{_ASIDE}?[*_:]{{0,4}}[ \t]*$")
_MARKS = re.compile(r"(?:>>+|[-–—•*](?=[ \t])|#{1,6}(?=[ \t])|\u200e|\u200f|\ufeff)[ \t]*")
ENDED = re.compile(r"[.!?…。！？][\"”’»)\]]*$")


@dataclass(frozen=True)
class Head:
    """The beginning of a turn: who speaks, the words on the same line, and whether a time stands there."""

    name: str
    words: str
    times: int = 0
    aside: str = ""  # in brackets behind the name
    dated: bool = False  # a line of a chat


def without_marks(line: str) -> str:
    """The line without marks of lists, headings and changes of speakers before it."""
    line = line.strip()
    for _ in range(3):
        if not (match := _MARKS.match(line)):
            break
        line = line[match.end() :]
    return line


def read_stamp(line: str) -> tuple[re.Match[str] | None, str]:
    """The time at the beginning of a line, and what follows."""
    match = STAMP.match(line)
    # "3:16For" and "12:30-13:00pm" are no times of a turn.
    if match and (match.end() == len(line) or match[0][-1] in " \t])>" or line[match.end()] in " \t<*["):
        return match, line[match.end() :].lstrip(" \t")
    return None, line


def read_head(line: str, style: str) -> Head | None:
    if len(line) > 100_000:
        return None
    bare = without_marks(line)
    stamp, rest = read_stamp(bare)
    dated = bool(stamp and stamp["date"])
    rest = without_marks(rest) if stamp else rest
    if style == "alone" and len(rest) > 120:
        return None
    pattern = {"colon": _COLON, "irc": _IRC, "play": _PLAY, "alone": _ALONE}[style]
    match = pattern.match(rest)
    if match is None:
        return None
    groups = match.groupdict()
    name, aside = groups["name"].strip(" ,;-–—_"), groups.get("aside") or ""
    words, times = rest[match.end() :], bool(stamp) + bool(groups.get("behind"))
    if re.fullmatch(CLOCK, aside.strip()):
        aside, times = "", times + 1
    inner, words = read_stamp(words)
    times += bool(inner)
    single = bool(times) and len(name.split()) == 1  # "anna.meier  2:33 PM"
    nick = (dated or single or style == "irc") and len(name) <= 40 and len(name.split()) <= 4 and not is_field(name)
    known = nick or may_speak(name)
    return Head(name, words.strip(), times, aside, dated) if name and known else None


def may_begin(line: str, style: str) -> bool:
    """Whether a closer look is worth its time."""
    if style == "alone":
        return len(line) <= 160 and not line.rstrip().endswith((".", "!", "?", ",", ";"))
    if style == "play":
        return line.lstrip(" \t*_>#")[:2].isupper()
    return ("<" if style == "irc" else ":") in line or (style == "colon" and "：" in line)


def find_heads(lines: Sequence[str], passed: frozenset[int], timed: bool = False) -> Mapping[int, Head]:
    """By index of its line, the head of each turn; none where nobody speaks. `passed`: lines of code. `timed`: the lines
    had times, which are gone."""
    written = [at for at, line in enumerate(lines) if at not in passed and not line.isspace() and line]
    low: set[str] = set()
    best: Mapping[int, Head] = {}
    for style in ("colon", "irc", "play", "alone"):
        heads = {at: head for at in written if may_begin(lines[at], style) and (head := read_head(lines[at], style))}
        if len(heads) < 3:
            continue
        low = low or {word for at in written for word in re.findall(r"\b[a-zà-ÿ]+\b", lines[at])}
        if style == "alone":
            heads = {at: head for at, head in heads.items() if stands_above(lines, at, heads)}
        heads = likely(lines, heads, low, timed)
        if len(heads) > len(best) and is_talk(lines, heads, low, style, timed):
            best = heads
    return best


def unknown_labels(lines: Sequence[str], heads: Mapping[int, Head]) -> frozenset[int]:
    """Lines "Word: words" between the turns whose label comes back or is in capitals and is none of the speakers: nobody
    known says them."""
    found: dict[int, str] = {}
    for at, line in enumerate(lines):
        if at not in heads and ":" in line and (match := _COLON.match(without_marks(line))):
            name = match["name"].strip()
            if len(name.split()) <= 4 and name[:1].isupper() and match.end() < len(line):
                found[at] = name
    counts = Counter(found.values())
    return frozenset(at for at, name in found.items() if counts[name] > 1 or (name.isupper() and len(name) > 2))


def stands_above(lines: Sequence[str], at: int, heads: Mapping[int, Head]) -> bool:
    """Whether words follow a name that is alone on its line, and no other name."""
    below = at + 1
    while below < len(lines) and below <= at + 2 and (not lines[below].strip() or is_stamp(lines[below])):
        below += 1
    clear = at == 0 or not lines[at - 1].strip() or bool(heads[at].times) or is_stamp(lines[at - 1])
    return clear and below < len(lines) and bool(lines[below].strip()) and below not in heads


def is_stamp(line: str) -> bool:
    """Whether only a time stands on the line."""
    stamp, rest = read_stamp(without_marks(line))
    return stamp is not None and not rest


def likely(lines: Sequence[str], heads: Mapping[int, Head], low: set[str], timed: bool) -> dict[int, Head]:
    """Without the names that stand there once and may be any word: "Gearbox: never open it."."""
    counts = Counter(head.name.casefold() for head in heads.values())
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)

    def kept(at: int, head: Head) -> bool:
        once = counts[head.name.casefold()] == 1
        titled = at == first or lines[at].lstrip().startswith("#")
        if once and head.words and (head.words.isupper() or (titled and not ENDED.search(head.words))):
            return False  # "PANEL: THE FUTURE OF THE HARBOUR", "# Roundtable: feeding cities"
        if timed or head.times or counts[head.name.casefold()] > 1 or is_role(head.name) or head.name.isupper():
            return True
        begins = at == 0 or not lines[at - 1].strip() or at - 1 in heads
        return begins and not is_word(head.name, low)

    return {at: head for at, head in heads.items() if kept(at, head)}


def is_word(name: str, low: set[str]) -> bool:
    """Whether a label of one word is also used as a common word in the text: "Risk" beside "the risk"."""
    return len(name.split()) == 1 and not name.isupper() and not is_role(name) and name.casefold() in low


def is_talk(lines: Sequence[str], heads: Mapping[int, Head], low: set[str], style: str, timed: bool) -> bool:
    """Whether these are the turns of a talk: names come back, turns alternate, people speak to each other."""
    names = [head.name.casefold() for head in heads.values()]
    count, distinct = len(names), len(set(names))
    stamped = timed or sum(bool(head.times) for head in heads.values()) >= 0.6 * count
    if count < (3 if stamped else 4) or count - distinct < max(1, (0.4 if style == "alone" else 0.3) * count):
        return False
    turns = [said(lines, at, end) for at, end in pairwise([*heads, len(lines)])]
    talking = [name for name, words in zip(names, turns, strict=True) if talks(words)]
    share = len(talking) / count
    if sum(any(map(str.isalnum, words)) for words in turns) < 0.8 * count:
        return False  # "A: ______"
    if stamped:
        return share >= (0.2 if style == "alone" else 0.1)
    changes = sum(one != other for one, other in pairwise(names)) / (count - 1)
    order = list(dict.fromkeys(names))
    cycle = distinct > 2 and count >= 2 * distinct and all(n == order[i % distinct] for i, n in enumerate(names))
    common = sum(is_word(head.name, low) for head in heads.values())
    sure = sum(head.name.isupper() or is_role(head.name) or " " in head.name for head in heads.values()) >= 0.5 * count
    if distinct < 2 or changes < 0.4 or cycle or common > 0.5 * count or not (sure or len(set(talking)) > 1):
        return False
    fields = sum(is_field(match["name"].strip()) for line in lines if (match := _COLON.match(without_marks(line))))
    if fields > 0.25 * count or not addressed(names, turns):
        return False
    paragraphs = sum(bool(line.strip()) and (at in heads or not lines[at - 1].strip()) for at, line in enumerate(lines))
    before = sum(bool(line.strip()) and not lines[at - 1].strip() for at, line in enumerate(lines[: min(heads)]))
    dense = count >= 0.4 * (paragraphs - before)
    return dense and share >= (0.5 if style == "alone" else 0.3)


def addressed(names: Sequence[str], turns: Sequence[str]) -> bool:
    """Whether somebody asks, or names another speaker."""
    if any(re.search(r"[?？؟]", words) for words in turns):
        return True
    called = {word for name in names for word in name.split() if len(word) > 2}
    return any(called & {*words.casefold().split()} - {*name.split()} for name, words in zip(names, turns, strict=True))


def said(lines: Sequence[str], at: int, end: int) -> str:
    """The words of a turn from its line to the next blank one (or the paragraph below a name that stands alone)."""
    words: list[str] = []
    for line in [*lines[at : min(end, at + 40)]]:
        if not line.strip() and len(words) > 1:
            break
        words.append(line.strip())
    head = words[0]
    for style in ("colon", "irc", "play", "alone"):
        if found := read_head(head, style):
            head = found.words
            break
    return " ".join([head, *words[1:]]).strip()
