"""Prompts are text files that a user may copy and change: conf/prompts/*.txt, each with a version."""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from byheart.config.folders import conf_folder
from byheart.errors import Problem, UserError
from byheart.expansion.base import Source
from byheart.records import Chunk, Fact

_VERSION = re.compile(r"\Aversion:[ \t]*(\S+)[ \t]*$", re.M)
_PART = re.compile(r"^---[ \t]+(\w+)[ \t]*$\n?", re.M)
_LEADS = re.compile(r"(?<=[:—–*_])\s")  # between the lead-ins of nested lists, which are joined
_FENCE = re.compile(r"<(/?)(text)>", re.I)


@dataclass(frozen=True)
class Prompt:
    """The parts of a prompt file. `$name` marks a place to fill in."""

    name: str
    version: str
    parts: dict[str, str]

    @property
    def key(self) -> str:
        """The file's name and version, as part of cache keys."""
        return f"{self.name} {self.version}"

    @property
    def system(self) -> str:
        return self.parts["system"]

    def fill(self, part: str, **values: str) -> str:
        return Template(self.parts[part]).substitute(values).rstrip()


def load_prompt(path: str | None, packaged: str) -> Prompt:
    """The user's file, else the packaged one of that name. A UserError names what is missing in the file."""
    file = Path(path).expanduser() if path else conf_folder() / "prompts" / f"{packaged}.txt"
    needed = load_prompt(None, packaged).parts if path else {}
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(Problem("this prompt file cannot be read", str(file), str(error), _advice(packaged))) from None
    version = _VERSION.match(text)
    pieces = _PART.split(text)
    parts = {name: body.strip() for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    problems = [] if version else [Problem("its first line must give its version", str(file), fix="version: 1")]
    for name, body in needed.items():
        if name not in parts:
            problems.append(Problem(f"the part `--- {name}` is missing", str(file), fix=_advice(packaged)))
        elif lost := _names(body) - _names(parts[name]):
            what = f"the part `--- {name}` lacks {', '.join(f'${each}' for each in sorted(lost))}"
            problems.append(Problem(what, str(file), fix=_advice(packaged)))
        elif more := _names(parts[name]) - _names(body):
            fix = f"it may hold {', '.join(f'${each}' for each in sorted(_names(body))) or 'none'}; a dollar sign is $$"
            problems.append(Problem(f"the part `--- {name}` asks for ${min(more)}", str(file), fix=fix))
    if problems:
        raise UserError(*problems)
    assert version
    return Prompt(packaged, version[1], parts)


def prompt_problems(path: str | None, packaged: str) -> list[str]:
    """What is wrong with a prompt file, for `problems()`; empty where nothing is."""
    try:
        load_prompt(path, packaged)
    except UserError as error:
        return [str(problem).replace("\n    ", "; ") for problem in error.problems]
    return []


def fenced(text: str) -> str:
    """A document's text for a prompt: it cannot close the <text> tag around it."""
    return _FENCE.sub(r"<\1\2 >", text)


def named_source(chunk: Chunk, source: Source) -> str:
    """The chunk's title and headings, so that questions can name them."""
    title = source.titles[chunk.document]
    return fenced(" > ".join([title, *(heading for heading in chunk.headings if heading.strip() != title.strip())]))


def shown_text(chunk: Chunk, source: Source) -> str:
    """The chunk's text. A table's header or a list's lead-in that stands in an earlier chunk comes before it: a row or an
    item says little without."""
    own = " ".join(chunk.text.split())
    above = dict.fromkeys(source.lead_ins.get(fact.id, "") for fact in source.facts_of(chunk))
    lines = [f"{lead} […]" for lead in above if any(part not in own for part in _LEADS.split(lead))]
    return fenced("\n".join([*lines, chunk.text]))


def shown_fact(fact: Fact) -> str:
    """A fact on one line, with who says it."""
    return fenced(fact.statement)


def list_schema(name: str, **fields: dict[str, object]) -> dict[str, object]:
    """The JSON schema of an answer {name: [{field: ...}, ...]} in which every field is required."""
    item = {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}
    listed = {name: {"type": "array", "items": item}}
    return {"type": "object", "properties": listed, "required": [name], "additionalProperties": False}


def _names(template: str) -> set[str]:
    return set(Template(template).get_identifiers())


def _advice(packaged: str) -> str:
    return f"start from a copy of {conf_folder() / 'prompts' / f'{packaged}.txt'}"
