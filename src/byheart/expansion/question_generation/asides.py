"""Questions about what stands in parentheses, which the parser is spared: names in other languages, who holds an office now."""

import re
from collections.abc import Iterator

from byheart.expansion.question_generation.compose import SHORT, Asked, sentence
from byheart.expansion.question_generation.wording import small

_NAME = re.compile(r"^(?P<name>[^(),;:]{3,60}?) \((?P<inside>[^()]*\b[A-Z]\w+: [^()]*)\)")
_GLOSS = re.compile(r"^(?P<language>[A-Z]\w+): (?P<words>.+)$")
_NOW = re.compile(
    r"(?P<office>(?:\bthe )?[a-z-]+(?: of [\w ]{3,30}?)?) \((?P<when>currently|presently|now|formerly) (?P<name>[A-Z][^()]{2,60})\)"
)


def ask_asides(statement: str) -> Iterator[Asked]:
    text = " ".join(statement.split())
    if (found := _NAME.match(text)) and ";" not in found["name"]:
        for gloss in filter(None, (_GLOSS.match(part.strip()) for part in found["inside"].split(";"))):
            question = f"What is the {gloss['language']} name of {small(found['name'])}?"
            yield Asked("gloss", question, sentence(gloss["words"]), SHORT)
    for match in _NOW.finditer(text):
        several = " and " in match["name"]
        tense = ("were" if several else "was") if match["when"] == "formerly" else ("are" if several else "is")
        office = match["office"] if match["office"].startswith("the ") else f"the {match['office']}"
        question = f"Who {tense} {match['when']} {office}?"
        yield Asked(f"now:{match.start()}", question, sentence(match["name"]), SHORT)
