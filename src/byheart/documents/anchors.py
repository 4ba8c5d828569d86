"""Footnotes as paragraphs of their own, which say what words they are on."""

import re

_SENTENCE = re.compile(r"(?<=[.!?。！？])[\"”’)]*\s+")
MOST_WORDS = 10


def note_line(before: str, note: str) -> str:
    """A note as Markdown; `before` is the text in front of its mark: "[^“each has forty crates”]: A crate holds ..."."""
    sentence = _SENTENCE.split(before[-600:].rstrip(' .,;:!?"”’)*'))[-1]
    words = re.sub(r"[“”\[\]|*_`]", "", sentence).split()
    anchor = " ".join(words[-MOST_WORDS:])
    return f"[^“{anchor}”]: {note}" if anchor else f"[^note]: {note}"
