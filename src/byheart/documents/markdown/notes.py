"""Footnotes of Markdown: each stands below the paragraph that it explains, and says which words it is on."""

import re
from collections import Counter

_DEFINED = re.compile(r" {0,3}\[\^([^\]\n]{1,80})\]:[ \t]*")
_MARK = re.compile(
    r"(?<![ \t])[ \t]*(?:\[\^(?P<name>[^\]\n\s]{1,80})\]|\^\[(?P<note>(?:[^\[\]]|\[[^\[\]]*\]){1,2000})\])"
)
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\d\.)[\"”’)*_]*\s+|\n(?=[ \t]*(?:[-*+|]|\d+[.)])[ \t])|[。！？]")
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}|[-*+]|\d{1,3}[.)])[ \t]+|[*_`|]|\[[ xX]\][ \t]")
MOST_WORDS = 10  # of the text that a note is on
NOTE_MARK = re.compile(r"\[\^(“[^”\n]{1,200}”|[^\]\n]{1,80})\]:[ \t]+(?=\S)")


def place_notes(text: str, counts: Counter[str]) -> str:
    """The text without the marks of its notes, each note as a paragraph "[^“the words”]: ..." of its own."""
    if "[^" not in text and "^[" not in text:
        return text
    body, notes = _taken(text)
    placed: set[str] = set()
    out: list[str] = []
    for paragraph in re.split(r"(\n(?:[ \t]*\n)+)", body):
        found: list[tuple[str, list[str]]] = []

        def reference(match: re.Match[str], of: str = paragraph, found: list[tuple[str, list[str]]] = found) -> str:
            name = match["name"]
            if match["note"]:
                found.append(
                    (anchor_of(of[max(0, match.start() - 800) : match.start()]), [" ".join(match["note"].split())])
                )
            elif name not in notes:
                counts["missing note"] += 1
            elif name not in placed:
                placed.add(name)
                found.append((anchor_of(of[max(0, match.start() - 800) : match.start()]), notes[name]))
            return ""

        plain = _MARK.sub(reference, paragraph) if "^" in paragraph else paragraph
        out.append(plain)
        for anchor, note in found:
            name = f"“{anchor}”" if anchor else "note"
            out += [f"\n\n[^{name}]: {_MARK.sub('', part)}" for part in note]
    for name, note in notes.items():  # nothing refers to them
        if name not in placed:
            out += [f"\n\n[^{name}]: {_MARK.sub('', part)}" for part in note]
    return "".join(out)


def _taken(text: str) -> tuple[str, dict[str, list[str]]]:
    """The text without its notes, and the paragraphs of each note."""
    notes: dict[str, list[str]] = {}
    rest: list[str] = []
    own: list[str] | None = None  # the paragraphs of the open note
    blank = False
    for line in text.split("\n"):
        if match := _DEFINED.match(line):
            own = notes.setdefault(match[1], [])
            own.append(line[match.end() :].strip())
            blank = False
        elif own is not None and not line.strip():
            blank = True
        elif own is not None and (line.startswith(("  ", "\t")) if blank else not line.startswith("#")):
            if blank:
                own.append(line.strip())
            else:
                own[-1] = f"{own[-1]} {line.strip()}".strip()
            blank = False
        else:
            if own is not None and blank:
                rest.append("")
            own = None
            rest.append(line)
    return "\n".join(rest), {name: [part for part in parts if part] for name, parts in notes.items()}


def anchor_of(before: str) -> str:
    """The last words of the sentence before the mark, at most ten."""
    ended = _MARK.sub("", before).rstrip()
    last = ended.rstrip('.!?。"”’)*_')  # the mark may stand behind the full stop
    starts = [match.end() for match in _SENTENCE.finditer(last[-600:])]
    sentence = last[-600:][starts[-1] if starts else 0 :]
    if len(sentence.split()) < 3:  # "p. 33." and the like say nothing
        sentence = " ".join(last[-600:].split()[-MOST_WORDS:])
    words = _MARKS.sub("", sentence).replace("“", "").replace("”", "").replace("]", "").split()
    return " ".join(words[-MOST_WORDS:])
