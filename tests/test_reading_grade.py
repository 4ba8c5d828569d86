"""Every page, message and line of help can be read at school grade 10 or below (Flesch-Kincaid, all words counted)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import byheart
from byheart import cli
from byheart.config.folders import conf_folder, sweeps_folder

HIGHEST = 10.0
LEAST = 6  # words
ROOT = Path(__file__).parents[1]
SOURCE = Path(byheart.__file__).parent
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = sorted(path for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file())


@cache
def syllables(word: str) -> int:
    """By its groups of one or two vowels, without a silent e at the end."""
    word = re.sub(r"[^a-z]", "", word.lower())
    word = re.sub(r"(?<=[^laeiouysxzcgh])es?$|(?<=[^aeioutd])ed$|(?<=[^laeiouy])e$|(?<=[aeiou]l)es?$", "", word)
    return max(1, len(re.findall(r"i(?=[ao][^nu])|[aeiouy]{1,2}", word)))


def grade(sentences: list[str]) -> float:
    """The Flesch-Kincaid grade. Numbers are left out, and sentences below `LEAST` words: cells and labels are easy."""
    words = [re.findall(r"[A-Za-z][A-Za-z'\u2019]*", sentence) for sentence in sentences]
    words = [each for each in words if len(each) >= LEAST]
    if not words:
        return 0.0
    count = sum(map(len, words))
    spoken = sum(syllables(word) for each in words for word in each)
    return 0.39 * count / len(words) + 11.8 * spoken / count - 15.59


def sentences_in(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def prose(page: Path) -> list[str]:
    """The sentences of paragraphs, list items and cells of tables; inline code is one word. Headings are left out: they
    are short, and would lower the grade."""
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    said = {"code_inline": "code", "softbreak": " ", "hardbreak": " "}
    found = []
    for before, token in pairwise(tokens):
        if token.type == "inline" and before.type != "heading_open":
            parts = [said.get(each.type, each.content if each.type == "text" else "") for each in token.children or ()]
            found += sentences_in("".join(parts))
    return found


def messages(room: Path) -> Iterator[str]:
    """What the code of a room may say to the user: all its texts but the docstrings. `grade` leaves out single words."""
    for path in [room] if room.is_file() else sorted(room.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        quiet = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        quiet |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        quiet |= {
            id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }  # "a list of words".split()
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in quiet:
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "this" for part in node.values)


def plain(message: str) -> list[str]:
    """The sentences of a message; code in backquotes and settings are one word each."""
    if re.search(r"\\[bswd]|\(\?", message):
        return []  # a regular expression
    text = re.sub(r"`[^`]*`|\S*[=/_<>{}\[\]]\S*|byheart \w+", "code", message)
    return sentences_in(text)


def _template(path: Path) -> list[str]:
    """The texts of a page that is made with Jinja, without its marks."""
    text = re.sub(r"<(style|script).*?</\1>|{[%{#].*?[}%#]}", " ", path.read_text(encoding="utf-8"), flags=re.S)
    return [part for piece in re.split(r"<[^>]+>", text) for part in sentences_in(re.sub(r"\s+", " ", piece))]


def _help_lines() -> list[str]:
    files = [*conf_folder().rglob("*.yaml"), *sweeps_folder().glob("*.yaml")]
    comments = [
        found for path in files for found in re.findall(r"# (?!@)(.+)$", path.read_text(encoding="utf-8"), re.M)
    ]
    about = [
        text for each in cli.COMMANDS for text in (each.line, *(text for pair in each.examples for text in pair[1:]))
    ]
    return [*comments, *about, *(text for each in cli.COMMANDS for _, text in each.arguments)]


def worst(sentences: list[str]) -> str:
    """The hardest sentences, for whoever has to mend them."""
    hard = sorted((each for each in sentences if grade([each])), key=lambda each: -grade([each]))
    return "\n".join(f"{grade([each]):.1f}  {each}" for each in hard[:12])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_read_at_grade_ten(page):
    sentences = prose(page)
    assert grade(sentences) <= HIGHEST, worst(sentences)


def test_the_messages_can_be_read_at_grade_ten():
    by_room = {room.name: [part for text in messages(room) for part in plain(text)] for room in ROOMS}
    everything = [part for parts in by_room.values() for part in parts]
    assert sum(grade([part]) != 0 for part in everything) > 400, "the messages are found"
    assert grade(everything) <= HIGHEST, worst(everything)
    for name, parts in by_room.items():
        if sum(grade([part]) != 0 for part in parts) >= 20:
            assert grade(parts) <= HIGHEST, f"{name}\n{worst(parts)}"


def test_the_help_can_be_read_at_grade_ten():
    lines = [part for line in _help_lines() for part in plain(line)]
    assert sum(grade([part]) != 0 for part in lines) > 200
    assert grade(lines) <= HIGHEST, worst(lines)


def test_the_pages_of_a_run_can_be_read_at_grade_ten():
    templates = sorted(SOURCE.rglob("*.j2"))
    parts = [part for path in templates for part in _template(path)]
    assert templates and any(grade([part]) for part in parts)
    assert grade(parts) <= HIGHEST, worst(parts)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The cat sat on the mat. The dog ran to the door. It was a hot day again.", -3, 2),
        ("A teacher writes many questions on each fact of your text. The model learns the answers by heart.", 3, 8),
        (
            "Notwithstanding considerable methodological heterogeneity, the aforementioned investigations demonstrated "
            "statistically significant associations between socioeconomic characteristics and educational attainment.",
            20,
            45,
        ),
    ],
)
def test_the_grade_tells_easy_from_hard(text, low, high):
    assert low <= grade(sentences_in(text)) <= high


def test_syllables_are_counted_about_as_a_dictionary_does():
    """Of usual words the sum is right within 5 %, and one in five is wrong at most."""
    known = {
        "the": 1, "teaches": 2, "language": 2, "model": 2, "documents": 3, "writes": 1, "questions": 2, "makes": 1,
        "trained": 1, "started": 2, "measured": 2, "table": 2, "people": 2, "files": 1, "changes": 2, "used": 1,
        "idea": 3, "create": 2, "settings": 2, "evaluation": 5, "value": 2, "machine": 2, "sentences": 3, "names": 1,
        "forgotten": 3, "learned": 1, "needed": 2, "answered": 2, "memory": 3, "variable": 4, "simple": 2, "being": 2,
        "quantized": 2, "environment": 4, "temperature": 4, "continue": 3, "valid": 2, "previous": 3, "see": 1,
        "option": 2, "area": 3, "adapter": 3, "optimizer": 4, "tokens": 2, "folder": 2, "setting": 2, "recall": 2,
        "number": 2, "before": 2, "after": 2, "answer": 2, "every": 2, "without": 2, "teacher": 2, "examples": 3,
    }  # fmt: skip
    counted = {word: syllables(word) for word in known}
    assert abs(sum(counted.values()) / sum(known.values()) - 1) < 0.05
    assert sum(counted[word] != count for word, count in known.items()) <= len(known) // 5, counted
