"""Subtitles (WebVTT, SRT): the words of the cues as paragraphs, with who speaks where the file says it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from byheart.documents.speech.heads import read_head
from byheart.documents.speech.marks import join_lines, write_turn
from byheart.documents.speech.words import readable

_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
CUE = re.compile(rf"^[ \t]*({_TIME})[ \t]*-->[ \t]*({_TIME})[^\n]*$", re.MULTILINE)
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>\n]{1,80})>")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>|<[\d:.]{5,15}>|\{\\[^{}\n]{1,80}\}")
_SOUND = re.compile(r"\[[^\[\]\n]{1,60}\]|\((?=[^()\n]{1,60}\))[^()\n]*[^()\n.!?]\)|♪[^♪\n]*♪?|♫[^♫\n]*♫?")
_CHANGE = re.compile(r"(?:[-–—]+[ \t]*|>>+[ \t]*)(?=\S)")
PAUSE_S = 4.0  # behind the end of a sentence, a pause that begins a paragraph
FEW_ENDS = 50  # words to a full stop; where they are more, sentences cannot be told
UNPUNCTUATED = "no full stops: sentences cannot be told, so it is cut between lines"
PIECE = 30  # words of a paragraph, where sentences cannot be told


@dataclass
class Said:
    """Words of one cue or more, by one speaker where he is named."""

    voice: str
    words: str
    start: float
    end: float
    begins: bool  # a mark says that the speaker changes


def is_unpunctuated(text: str) -> bool:
    words = len(text.split())
    return words > PIECE and words > FEW_ENDS * len(re.findall(r"[.!?…。！？]", text))


def pieces(lines: Sequence[str]) -> list[str]:
    """Lines without full stops, joined to paragraphs of about `PIECE` words."""
    joined: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        if joined and len(joined[-1].split()) < PIECE:
            joined[-1] = join_lines([joined[-1], line])
        else:
            joined.append(line)
    return joined


def is_subtitles(text: str) -> bool:
    return text.startswith("WEBVTT") or sum(1 for _, _ in zip(CUE.finditer(text), range(2), strict=False)) == 2


def read_subtitles(text: str) -> tuple[str, str, Counter[str], list[str]]:
    """(paragraphs, title, how much of each kind was left out, what could not be told)."""
    counts: Counter[str] = Counter()
    head = text.split("\n", 1)[0]
    title = head.removeprefix("WEBVTT").strip(" -–—\t") if head.startswith("WEBVTT") else ""
    said = [
        one for start, end, lines in without_repeats(cues(text, counts), counts) for one in voices(start, end, lines)
    ]
    everything = " ".join(one.words for one in said)
    running = is_unpunctuated(everything)
    remarks = [UNPUNCTUATED] if running else []
    joined = paragraphs(said, running)
    written = [write_turn(readable(one.voice, everything), one.words) if one.voice else one.words for one in joined]
    return "\n\n".join(written) + "\n", title, counts, remarks


def cues(text: str, counts: Counter[str]) -> Iterator[tuple[float, float, list[str]]]:
    """Start and end in seconds and the lines of each cue."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if match := CUE.match(lines[at]):
            counts["times"] += 1
            own, at = [], at + 1
            # A line of one blank is an empty line of the caption; the cue ends where nothing stands.
            while at < len(lines) and lines[at] and not CUE.match(lines[at]):
                own.append(lines[at])
                at += 1
            if own and at < len(lines) and CUE.match(lines[at]) and own[-1].strip().isdigit():
                counts["cue numbers"] += 1  # no blank line between the cues
                own.pop()
            yield seconds(match[1]), seconds(match[2]), clean(own, counts)
            continue
        line = lines[at].strip()
        if _BLOCK.match(line):
            counts["style notes"] += 1
            while at < len(lines) and lines[at].strip():
                at += 1
        elif line and at + 1 < len(lines) and CUE.match(lines[at + 1]):
            counts["cue numbers"] += 1
        elif line and not line.startswith("WEBVTT"):
            counts["lines outside the cues"] += 1
        at += 1


def seconds(time: str) -> float:
    total = 0.0
    for part in time.replace(",", ".").split(":"):
        total = 60 * total + float(part)
    return total


def clean(lines: Sequence[str], counts: Counter[str]) -> list[str]:
    """The lines without tags and descriptions of sounds; voices stay as "<v Name>"."""
    cleaned = []
    for line in lines:
        voice = _VOICE.search(line)
        line = without_sounds(unescape(_TAG.sub("", line)).replace("\u200e", ""), counts)
        if line.strip("-–— >"):
            cleaned.append(f"<v {voice[1].strip()}>{line}" if voice else line)
    return cleaned


def without_sounds(line: str, counts: Counter[str]) -> str:
    """The line without "[Music]" and "(door slams)"; "it [the pump] runs" keeps its words in brackets."""

    def kept(sound: re.Match[str]) -> str:
        before = line[: sound.start()].rstrip(" -–—>")
        if before and before[-1] not in ".!?…:])♪":
            return sound[0]
        counts["sounds"] += 1
        return ""

    return " ".join(_SOUND.sub(kept, line).split())


def without_repeats(
    found: Iterator[tuple[float, float, list[str]]], counts: Counter[str]
) -> Iterator[tuple[float, float, list[str]]]:
    """Captions that roll show each line again while the next one is typed: each line once."""
    shown: list[str] = []
    for start, end, lines in found:
        same = next((n for n in range(min(len(shown), len(lines)), 0, -1) if shown[-n:] == lines[:n]), 0)
        # "Yes." in two cues is said twice; only what another line joins or what is longer has stood there before.
        if same and (same < len(lines) or sum(len(line.split()) for line in lines) > 2):
            counts["repeated lines"] += same
            lines_new = lines[same:]
        else:
            lines_new = lines
        shown = [*shown, *lines_new][-4:]
        if lines_new:
            yield start, end, lines_new


def voices(start: float, end: float, lines: Sequence[str]) -> Iterator[Said]:
    """What each speaker says in a cue: lines of one speaker are joined."""
    current: Said | None = None
    for line in lines:
        voice = _VOICE.match(line)
        words = line[voice.end() :] if voice else line
        change = _CHANGE.match(words)
        words = words[change.end() :] if change else words
        begins = bool(change) or read_head(words, "colon") is not None
        if current and not begins and (not voice or voice[1] == current.voice):
            current.words = join_lines([current.words, words])
            continue
        if current:
            yield current
        current = Said(voice[1] if voice else "", words, start, end, begins)
    if current:
        yield current


def paragraphs(said: Sequence[Said], running: bool) -> list[Said]:
    """Cues joined to paragraphs: a sentence may run over several, but over no change of speakers."""
    joined: list[Said] = []
    for one in said:
        last = joined[-1] if joined else None
        ended = bool(last and re.search(r"[.!?…。！？][\"”’»)\]]*$", last.words))
        pause = bool(last and one.start - last.end >= PAUSE_S)
        full = bool(last and running and (len(last.words.split()) >= PIECE or one.start - last.end >= PAUSE_S / 2))
        if last and one.voice == last.voice and not one.begins and not full and not (ended and pause):
            last.words, last.end = join_lines([last.words, one.words]), one.end
        else:
            joined.append(Said(one.voice, one.words, one.start, one.end, one.begins))
    return joined
