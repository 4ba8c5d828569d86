"""Lines of Markdown that are no text themselves: quotation marks of blocks, directives, imports, lists of settings."""

import re
from collections import Counter

_QUOTE = re.compile(r"[ \t]{0,3}(?:>[ ]?)+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_CALLOUT = re.compile(r"\[!([\w-]+)\][+-]?[ \t]*")
_ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?)[ \t]+[\w -]+?(?:[ \t]+\"([^\"]*)\")?[ \t]*$")
_DIRECTIVE = re.compile(r"[ \t]*:{3,}[ \t]*(?:\{?[.\w-]*\}?|\{[^}]*\}|\w[\w-]*(?:\[(?P<bracket>[^\]]*)\]|[ \t]+(?P<title>[^{}]*?))?(?:\{[^}]*\})?)[ \t]*:*[ \t]*$")
_MYST = re.compile(r"[ \t]*(`{3,}|:{3,})\{(?:note|warning|tip|important|caution|danger|admonition|hint|seealso|attention|error|versionadded|deprecated|dropdown)\}[ \t]*(.*)$")
_IMPORT = re.compile(r"import\s[^\n]*\sfrom\s+['\"][^'\"]+['\"];?\s*$|import\s+['\"][^'\"]+['\"];?\s*$|export\s+(?:default|const|function|let|async)\s")
_BARE = re.compile(r"[ \t]*(?:\{:[^}]*\}|\[TOC\]|\[\[_?TOC_?\]\]|\{\{[<%]?[ \t]*toc[ \t]*[>%]?\}\}|\\(?:newpage|pagebreak|tableofcontents)|<!--.*-->)[ \t]*$", re.I)
_INDENTED = re.compile(r"(?: {4}|\t)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_CODE = re.compile(r"[=(){}\[\]<>_|$\\/;]")


def read_lines(text: str, counts: Counter[str]) -> str:
    """The text with quoted blocks as paragraphs, directives and callouts as their words, indented code in fences."""
    out: list[str] = []
    fence = ""  # of the code that is open
    myst: list[str] = []  # fences that hold prose
    dedent = 0  # lines of an admonition are indented
    quoted = False
    margin = 0  # of the open fence
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not fence:
            match = _QUOTE.match(line)
            if match and not quoted and out and out[-1].strip():
                out.append("")
            elif quoted and not match and line.strip() and out and not out[-1].strip():
                out.append("")
            if match:
                line = line[match.end() :]
            quoted = bool(match)
        elif quoted and (match := _QUOTE.match(line)):
            line = line[match.end() :]
        if dedent and line.strip():
            if _INDENTED.match(line):
                line = line[4:] if line.startswith("    ") else line[1:]
            else:
                dedent = 0
        if match := _FENCE.match(line):
            if fence and match[1].startswith(fence) and not line.strip(" \t`~"):
                fence = ""
                out.append(line)
                continue
            if not fence and myst and match[1] == myst[-1] and not line.strip(" \t`~"):
                myst.pop()
                out.append("")
                continue
            if not fence and (prose := _MYST.match(line)):
                myst.append(prose[1])
                out += ["", *([prose[2], ""] if prose[2] else [])]
                while at < len(lines) and re.match(r"[ \t]*:[\w-]+:", lines[at]):
                    at += 1
                continue
            fence = fence or match[1]
            margin = len(line) - len(line.lstrip(" "))
            out.append(line if margin < 4 else f"   {line.lstrip()}")
            continue
        if fence:  # what only indents the fence is no part of the code
            out.append(line[min(margin, len(line) - len(line.lstrip(" "))) :])
            continue
        if quoted and (callout := _CALLOUT.match(line)):
            title = line[callout.end() :].strip()
            out += [title, ""] if title else [""]
            continue
        if admonition := _ADMONITION.match(line):
            dedent = 1
            out += ["", *([admonition[1], ""] if admonition[1] else [])]
            continue
        if line.lstrip().startswith(":::"):
            if (prose := _MYST.match(line)) or (directive := _DIRECTIVE.match(line)):
                title = prose[2] if prose else directive["bracket"] or directive["title"] or ""
                out += ["", *([title.strip(), ""] if title.strip() else [])]
                continue
        if line.startswith(("import ", "export ")) and _IMPORT.match(line):
            counts["import"] += 1
            while line.count("{") > line.count("}") and at < len(lines) and lines[at].strip():
                line, at = line + lines[at], at + 1
            continue
        if _BARE.match(line) and not line.lstrip().startswith("<!--"):
            out.append("")
            continue
        if _INDENTED.match(line) and line.strip() and (not out or not out[-1].strip()):
            end = at
            while end < len(lines) and (_INDENTED.match(lines[end]) or not lines[end].strip()):
                end += 1
            block = [line, *lines[at:end]]
            if is_code(block, out):
                while not block[-1].strip():
                    block.pop()
                out += ["```", *(row[4:] if row.startswith("    ") else row.removeprefix("\t") for row in block), "```"]
                at = end
                continue
        out.append(line)
    return "\n".join(out)


def is_code(block: list[str], above: list[str]) -> bool:
    """Whether indented lines are code: they belong to no list above, and look like none of prose."""
    for line in reversed(above):
        if line.strip():
            if _ITEM.match(line) or line.startswith((" ", "\t", "[^")):
                return False
            break
    written = [line.strip() for line in block if line.strip()]
    prose = sum(bool(re.search(r"[a-z]{2,}[.!?:]$", line)) or len(line.split()) > 14 for line in written)
    listed = any(_ITEM.match(line) for line in written)
    return not listed and prose == 0 and any(_CODE.search(line) for line in written)
