"""Markdown read as a reader sees it: the words of links, emphasis and tags without their marks.

Comments, pictures, tags of editors, addresses of links and struck-out words are no text to learn: they are left out and
counted. Code and formulas stay as they are.
"""

import re
from collections import Counter

from byheart.documents.markdown.inline import read_inline
from byheart.documents.markdown.lines import read_lines
from byheart.documents.markdown.masks import Masks
from byheart.documents.markdown.notes import place_notes
from byheart.documents.markdown.tags import read_tags
from byheart.documents.structure.formulas import hide_formulas, join_formulas, unfence
from byheart.records import LeftOut, all_left_out

_COMMENTS = (("<!--", "-->"), ("%%", "%%"), ("{/*", "*/}"))
_COMMENTED = re.compile(r"^[ ]{0,3}\[(?://|comment|#)\]:[ \t]*(?:#|<>)?.*$", re.M | re.I)
_LIQUID = re.compile(r"\{%-?[ \t]*comment[ \t]*-?%\}.*?\{%-?[ \t]*endcomment[ \t]*-?%\}", re.S)
_HIGHLIGHT = re.compile(r"\{%-?[ \t]*highlight[ \t]+(\w+)[^%]*%\}\n?(.*?)\{%-?[ \t]*endhighlight[ \t]*-?%\}", re.S)
_SHORTCODE = re.compile(r"\{\{[<%](?:[^{}\n]|\}(?!\})){0,400}\}\}|\{%-?[^%\n]{1,400}%\}")
_WIKI_PICTURE = re.compile(r"!\[\[[^\[\]\n]*\]\]")
_WIKI = re.compile(r"\[\[(?:[^\[\]|\n]*\|)?([^\[\]|\n]+)\]\]")
# At the end of a line, behind a sentence or alone: elsewhere "#fff" is a colour and "#include" is code.
_TAGS = re.compile(r"(?:^|(?<=[.!?:)\]]))(?:[ \t]*(?<![\w#])#[^\W\d_][\w/-]*)+[ \t]*$", re.M)
_MARKED = re.compile(r"==(?=\S)([^=\n]+?)(?<=\S)==")
_ANCHOR = re.compile(r"(?:(?<![ \t])[ \t]+|(?<=[)\]\ue001]))\{[#.:][^{}\n]{0,200}\}[ \t]*(#*)[ \t]*$", re.M)
_BLOCK_ID = re.compile(r"[ \t]\^(?=[\w-]*\d|[a-z]+-)[A-Za-z\d-]{3,40}[ \t]*$", re.M)
_TASK_TAGS = re.compile(r"^([ \t]*[-*+] \[.\] [^#\n]*?)(?:[ \t]+#[^\W\d_][\w/-]*)+[ \t]*$", re.M)
_CITATION = re.compile(r"[ \t]?\[(?:[^\[\]@\n]{0,80}-?@[\w:.#$%&+?<>~/-]+[^\[\]\n@]{0,80}){1,8}\](?!\()")
_BOLD_LINE = re.compile(r"(?:(?<=\n\n)|\A)(\*\*|__)(?=[^\s\d])([^*_\n]{1,60}?)\1[ \t]*(?=\n[ \t]*\n[ \t]*\S)")
_GITLAB = re.compile(r"\$`([^`\n]{1,400})`\$")


def read_marks(text: str) -> tuple[str, list[LeftOut]]:
    """The text without the marks, and how many of each kind were left out."""
    counts: Counter[str] = Counter()
    masks = Masks()
    text = (
        _HIGHLIGHT.sub(lambda found: f"```{found[1]}\n{found[2].strip()}\n```", text)
        if "endhighlight" in text
        else text
    )
    text = masks.hide_code(unfence(_GITLAB.sub(r"$\1$", read_lines(text, counts))))
    text = hide_formulas(join_formulas(_ANCHOR.sub(r"\1", text), masks), masks)
    text = drop(_LIQUID, text, counts, "comment") if "endcomment" in text else text
    for opens, closes in _COMMENTS:
        text, number = drop_between(text, opens, closes)
        counts.update({"comment": number} if number else {})
    for kind, pattern in (
        ("comment", _COMMENTED),
        ("picture", _WIKI_PICTURE),
        ("tag line", _TAGS),
        ("citation", _CITATION),
        ("site short code", _SHORTCODE),
    ):
        text = drop(pattern, text, counts, kind)
    text = _WIKI.sub(lambda link: link[1].rpartition("#")[0] or link[1].lstrip("#"), text)
    text = _MARKED.sub(r"\1", _BLOCK_ID.sub("", _TASK_TAGS.sub(r"\1", text)))
    text = _BOLD_LINE.sub(as_heading, text)
    text = read_tags(text, masks, counts)
    text = place_notes(text, counts)
    text = read_inline(text, masks, counts)
    text = re.sub(r"(?<![ \t])[ \t]+$", "", masks.show(text), flags=re.M)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text, all_left_out(counts)


def drop_between(text: str, opens: str, closes: str) -> tuple[str, int]:
    """The text without all that stands between two signs, the signs included, and how often. A sign that nothing closes is
    none; a regular expression would look for its end from each of them."""
    out, last, number = [], 0, 0
    while (start := text.find(opens, last)) >= 0 and (end := text.find(closes, start + len(opens))) >= 0:
        out.append(text[last:start])
        last, number = end + len(closes), number + 1
    return "".join([*out, text[last:]]), number


def drop(pattern: re.Pattern[str], text: str, counts: Counter[str], kind: str) -> str:
    text, number = pattern.subn("", text)
    if number:
        counts[kind] += number
    return text


def as_heading(line: re.Match[str]) -> str:
    """A line that is all bold and stands alone is seen as a heading, unless it is a sentence or a warning."""
    words = line[2].strip()
    return f"###### {words.rstrip(':')}" if words[-1] not in ".!?。,;" else line[0]
