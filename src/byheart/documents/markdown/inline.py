"""The marks inside a paragraph of Markdown, read by markdown-it: links, emphasis, escapes, entities, tags."""

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from byheart.documents.markdown.masks import Masks

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 20_000  # characters of a paragraph that is read; the parser takes seconds on a hostile one
_MARK = re.compile(r"[\\*_\[\]<>&~^!]|:\w")
_DEFINED = re.compile(
    r"^ {0,3}\[(?!\^)((?:[^\]\[\n\\]|\\.){1,200})\]:[ \t]*\n?[ \t]*(<[^>\n]*>|[^\s<]\S*)(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^)\n]*\)))?[ \t]*$",
    re.M,
)
_ABBREVIATION = re.compile(r"^\*\[([^\]\n]{1,60})\]:[ \t]*(\S.*)$", re.M)
_ADDRESS = re.compile(r"(?:[a-z][a-z\d+.-]{1,20}:|[./#?<]|www\.)|[^\s/]+[./][^\s]+|\S+$", re.I)
_STRUCTURE = re.compile(r"[ \t]*(?:\\[#>|+*-]|\d{1,3}\\[.)])(?=[ \t])")
_ASKS = re.compile(r"(?:[-*+][ \t]+|\d{1,3}[.)][ \t]+)?(\*\*|__)(?=\S)[^*_\n]+[?？؟]\1(?=[ \t]+\S)")
_SCRIPT = re.compile(r"(?<=[\w)\]])(?:~(\d{1,3}[+-]?)~|\^([\d+-]{1,4})\^)")
_LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LINK = r"\[[^\[\]\n]{1,200}\]\([^()\n]{1,300}\)"
_CONTENTS = re.compile(
    r"(?:^(?:#{1,6}[ \t]+|\*\*)?(?:table of contents|contents|toc|on this page|inhalt(?:sverzeichnis)?|sommaire|índice|indice)[:*# \t]*\n(?:[ \t]*\n){0,2})?"
    r"(?:^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+[*_`]{0,2}\[[^\[\]\n]{1,200}\]\(#[^()\n]{0,300}\)[*_`]{0,2}[ \t]*(?:\n(?:[ \t]*\n)?|\Z)){3,}",
    re.M | re.I,
)
_LINK_LINE = re.compile(
    rf"^[ \t]*[*_]{{0,2}}{_LINK}[*_]{{0,2}}(?:[ \t]*[|·•∙/–—-][ \t]*[*_]{{0,2}}{_LINK}[*_]{{0,2}})+[ \t]*[|·•]?[ \t]*$\n?",
    re.M,
)
_BLANKS = {" ": "\u2000", "\t": "\u2001"}  # what the parser would strip at the head of a line
_TIMES = re.compile(r"(?<=[\d)])\*(?=[\d(])")
_DUNDER = re.compile(r"(?<![\w*])__[a-z][a-z\d_]*__(?![\w*])")


@cache
def parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("strikethrough").disable(["html_inline"])


def read_inline(text: str, masks: Masks, counts: Counter[str]) -> str:
    """The text with the words of its links and without the marks of emphasis; definitions of links are left out."""
    references: dict[str, dict[str, str]] = {}

    def define(match: re.Match[str]) -> str:
        if not _ADDRESS.match(match[2]):
            return match[0]
        references.setdefault(_key(match[1]), {"href": match[2], "title": ""})
        return ""

    text = _DEFINED.sub(define, text)
    text = _ABBREVIATION.sub(r"\n\1\n: \2\n", text)
    text = _leave_out_contents(text, counts)
    if not _MARK.search(text):
        return text
    text = masks.hide(_DUNDER, text)
    parts = re.split(r"(\n(?:[ \t]*\n)+)", text)
    return "".join(_paragraph(part, references, masks, counts) if _MARK.search(part) else part for part in parts)


def _leave_out_contents(text: str, counts: Counter[str]) -> str:
    """Without lists of links into the page itself, and lines of links only."""
    text, lists = _CONTENTS.subn("\n", text)
    text, lines = _LINK_LINE.subn("", text)
    for kind, number in (("contents list", lists), ("line of links", lines)):
        if number:
            counts[kind] += number
    return text


def _key(name: str) -> str:
    from markdown_it.common.utils import normalizeReference

    return normalizeReference(name)


def _paragraph(text: str, references: dict[str, dict[str, str]], masks: Masks, counts: Counter[str]) -> str:
    if len(text) > LONGEST:
        return text
    lines = text.split("\n")
    for at, line in enumerate(lines):
        bare = line.lstrip(" \t")
        indent = line[: len(line) - len(bare)]
        # "1\. May" is a sentence: what is escaped so that it is no mark stays escaped.
        if (match := _STRUCTURE.match(bare)) or (match := _ASKS.match(bare)):
            bare = masks.keep(match[0]) + bare[match.end() :]
        if "|" in bare and "\\|" in bare:
            bare = bare.replace("\\|", masks.keep("\\|"))
        lines[at] = "".join(_BLANKS[blank] for blank in indent) + bare.rstrip()
    plain = _TIMES.sub(r"\\*", "\n".join(lines))  # "2*3*4" is no emphasis, whatever the standard says
    plain = _SCRIPT.sub(lambda found: (found[1] or "").translate(_LOWERED) + (found[2] or "").translate(_RAISED), plain)
    source = _emoji(re.sub(r"(?<=\S)\\ (?=\S)", " ", plain))
    tokens = parser().parseInline(source, {"references": references})[0].children or []
    said = "".join(_said(tokens, counts))
    return said.replace("\u2000", " ").replace("\u2001", "\t")


def _said(tokens: "list[Token]", counts: Counter[str]) -> list[str]:
    out: list[str] = []
    struck: list[str] | None = None  # the words between the marks
    opened: list[tuple[str, int]] = []
    for at, token in enumerate(tokens):
        kind = token.type
        if kind == "s_open":
            struck = []
        elif kind == "s_close" and struck is not None:
            behind = next((each.content for each in tokens[at + 1 :] if each.content), "")
            begins = not "".join(out).rpartition("\n")[2].strip(" \t-*+•\u2000\u2001")
            if begins and behind.lstrip()[:1].islower():  # "~~--fast~~ was removed": the sentence is on these words
                out += struck
            else:
                counts["struck-out passage"] += 1
                if out and out[-1][-1:].isspace() and behind[:1] in (" ", ".", ",", ";"):
                    out[-1] = out[-1].rstrip(" ")
            struck = None
        elif struck is not None:
            struck.append(token.content)
        elif kind == "image":
            counts["picture"] += 1
        elif kind == "link_open":
            opened.append((str(token.attrs.get("href", "")), len(out)))
        elif kind == "link_close":
            address, start = opened.pop()
            words = "".join(out[start:]).strip()
            if address and words and token.info != "auto" and not _same(words, address):
                counts["link target"] += 1
        elif kind in ("softbreak", "hardbreak"):
            out.append("\n")
        elif kind == "code_inline":
            out.append(f"{token.markup}{token.content}{token.markup}")
        else:
            out.append(token.content)
    return out


def _same(words: str, address: str) -> bool:
    """Whether a reader sees the address; one within the page is none."""
    seen = re.sub(r"^(?:mailto:|https?://)(?:www\.)?", "", address).rstrip("/")
    return address.startswith("#") or seen == re.sub(r"^https?://(?:www\.)?", "", words).rstrip("/")


def _emoji(text: str) -> str:
    """ ":rocket:" as its sign."""
    if not re.search(r":[a-z][a-z\d_+-]+:", text):
        return text
    from rich.emoji import Emoji

    return re.sub(r"(?<![\w:/]):[a-z+-][a-z\d_+-]{1,40}:(?![\w:/])", lambda code: Emoji.replace(code[0]), text)
