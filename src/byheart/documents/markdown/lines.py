"""Lines of Markdown that are no text themselves: quotation marks of blocks, directives, imports, indents of code."""

import re
from collections import Counter

_QUOTE = re.compile(r"[ \t]{0,3}(?:>[ ]?)+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_CALLOUT = re.compile(r"\[!([\w-]+)\][+-]?[ \t]*")
_ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?)[ \t]+[\w -]+?(?:[ \t]+\"(?P<title>[^\"]*)\")?[ \t]*$")
_DIRECTIVE = re.compile(
    r"[ \t]*:{3,}[ \t]*(?:\{?[.\w-]*\}?|\{[^}]*\}|\w[\w-]*(?:\[(?P<bracket>[^\]]*)\]|[ \t]+(?P<title>[^{}]*?))?(?:\{[^}]*\})?)[ \t]*:*[ \t]*$"
)
_PROSE = (
    "note|warning|tip|important|caution|danger|admonition|hint|seealso|attention|error|versionadded|deprecated|dropdown"
)
_MYST = re.compile(rf"[ \t]*(?P<mark>`{{3,}}|:{{3,}})\{{(?:{_PROSE})\}}[ \t]*(?P<title>.*)$")
_OPTION = re.compile(r"[ \t]*:[\w-]+:")
_IMPORT = re.compile(
    r"import\s[^\n]*\sfrom\s+['\"][^'\"]+['\"];?\s*$|import\s+['\"][^'\"]+['\"];?\s*$"
    r"|export\s+(?:default|const|function|let|async)\s"
)
_BARE = re.compile(
    r"[ \t]*(?:\{:[^}]*\}|\[TOC\]|\[\[_?TOC_?\]\]|\{\{[<%]?[ \t]*toc[ \t]*[>%]?\}\}|\\(?:newpage|pagebreak|tableofcontents))[ \t]*$",
    re.I,
)
_INDENTED = re.compile(r"(?: {4}|\t)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_CODE = re.compile(r"[=(){}\[\]<>_|$\\/;]")


def read_lines(text: str, counts: Counter[str]) -> str:
    """The text with quoted blocks as paragraphs, directives and callouts as their words, indented code in fences."""
    out: list[str] = []
    fence, margin = "", 0  # of the code that is open
    prose_fences: list[str] = []  # MyST puts prose in fences too
    admonition = False  # its lines are indented
    lines = unquoted(text.split("\n"))
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not line:
            out.append(line)
            continue
        if admonition and line.strip() and not fence:
            admonition = bool(_INDENTED.match(line))
            line = dedented(line) if admonition else line
        mark = _FENCE.match(line)
        closes = mark is not None and not line.strip(" \t`~")
        if fence:  # what only indents the fence is no part of the code
            out.append(line[min(margin, len(line) - len(line.lstrip(" "))) :] if not closes else line)
            fence = "" if mark and closes and mark[1].startswith(fence) else fence
        elif mark and closes and prose_fences and mark[1] == prose_fences[-1]:
            prose_fences.pop()
            out.append("")
        elif prose := _MYST.match(line):
            if mark:
                prose_fences.append(prose["mark"])
            out += titled(prose["title"])
            while at < len(lines) and _OPTION.match(lines[at]):
                at += 1
        elif mark:
            fence, margin = mark[1], len(line) - len(line.lstrip(" "))
            out.append(line if margin < 4 else f"   {line.lstrip()}")
        elif opened := _ADMONITION.match(line):
            admonition = True
            out += titled(opened["title"])
        elif line.lstrip().startswith(":::") and (directive := _DIRECTIVE.match(line)):
            out += titled(directive["bracket"] or directive["title"])
        elif line.startswith(("import ", "export ")) and _IMPORT.match(line):
            counts["import"] += 1
            while line.count("{") > line.count("}") and at < len(lines) and lines[at].strip():
                line, at = line + lines[at], at + 1
        elif _BARE.match(line):
            out.append("")
        elif (code := indented_code(lines, at - 1, out)) > 0:
            out += ["```", *map(dedented, lines[at - 1 : code]), "```"]
            at = code
        else:
            out.append(line)
    return "\n".join(out)


def unquoted(lines: list[str]) -> list[str]:
    """The lines without ">", a quoted block set off from what stands around it; titles of callouts stand alone."""
    out: list[str] = []
    fence, inside = "", False
    for line in lines:
        if not line:
            inside = False
            out.append(line)
            continue
        quote = _QUOTE.match(line)
        if fence and not inside:  # code may begin its lines with ">"
            quote = None
        bare = line[quote.end() :] if quote else line
        mark = _FENCE.match(bare)
        was = inside
        inside = bool(quote)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) and not bare.strip(" \t`~") else fence
        elif mark:
            fence = mark[1]
        elif inside != was and bare.strip() and out and out[-1].strip():
            out.append("")
        if quote and not fence and (callout := _CALLOUT.match(bare)):
            out += titled(bare[callout.end() :])
        else:
            out.append(bare)
    return out


def titled(title: str | None) -> list[str]:
    """A blank line, or the title as a paragraph of its own."""
    return ["", title.strip(), ""] if title and title.strip() else [""]


def dedented(line: str) -> str:
    return line[4:] if line.startswith("    ") else line.removeprefix("\t")


def indented_code(lines: list[str], start: int, above: list[str]) -> int:
    """The index behind the indented code that begins there, 0 where none does: lines behind a blank one that belong to
    no list above, and look like none of prose."""
    if not _INDENTED.match(lines[start]) or not lines[start].strip() or (above and above[-1].strip()):
        return 0
    end = start
    while end < len(lines) and (_INDENTED.match(lines[end]) or not lines[end].strip()):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    last = next((line for line in reversed(above) if line.strip()), "")
    if _ITEM.match(last) or last.startswith((" ", "\t", "[^")):
        return 0
    written = [line.strip() for line in lines[start:end] if line.strip()]
    prose = any(re.search(r"[a-z]{2,}[.!?:]$", line) or len(line.split()) > 14 or _ITEM.match(line) for line in written)
    return end if not prose and any(_CODE.search(line) for line in written) else 0
