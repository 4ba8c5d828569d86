"""Marks of Markdown editors that are no text to learn: comments, pictures, tags; and wiki links, of which the words stay.

Code is left as it is. What is left out is counted.
"""

import re
from collections import Counter

from byheart.records import LeftOut

_CODE = re.compile(
    r"^(?P<fence>```+|~~~+)[^\n]*\n.*?^(?P=fence)[^\n]*$|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)", re.M | re.S
)
_COMMENT = re.compile(r"<!--.*?-->|%%.*?%%", re.S)
_PICTURE = re.compile(r"!\[\[[^\]\n]*\]\]|!\[[^\]\n]*\]\([^)\n]*\)")
_WIKI = re.compile(r"\[\[(?:[^\]|\n]*\|)?([^\]|\n]+)\]\]")
# At the end of a line, behind a sentence or alone: elsewhere "#fff" is a colour and "#include" is code.
_TAGS = re.compile(r"(?:^|(?<=[.!?:)\]]))(?:[ \t]*(?<![\w#])#[^\W\d_][\w/-]*)+[ \t]*$", re.M)
_CALLOUT = re.compile(r"^([ \t]*>[ \t]*)\[!\w+\][+-]?[ \t]*", re.M)
_MARKED = re.compile(r"==(?=\S)([^=\n]+?)(?<=\S)==")


def read_marks(text: str) -> tuple[str, list[LeftOut]]:
    """The text without the marks, and how many of each kind were left out."""
    counts: Counter[str] = Counter()
    out, last = [], 0
    for code in _CODE.finditer(text):
        out += [_plain(text[last : code.start()], counts), code[0]]
        last = code.end()
    plain = "".join([*out, _plain(text[last:], counts)])
    return plain, [LeftOut(kind, number) for kind, number in counts.items()]


def _plain(text: str, counts: Counter[str]) -> str:
    for kind, pattern in (("comments", _COMMENT), ("pictures", _PICTURE), ("lines of tags", _TAGS)):
        text, number = pattern.subn("", text)
        if number:
            counts[kind] += number
    text = _WIKI.sub(lambda link: link[1].rpartition("#")[0] or link[1].lstrip("#"), text)
    return _MARKED.sub(r"\1", _CALLOUT.sub(r"\1", text))
