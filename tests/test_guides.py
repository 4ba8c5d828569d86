"""What the README and the guides tell a user to type is understood; what they show is what is there."""

import ast
import importlib.util
import re
import shlex
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

import byheart
import toys
import zoo
from byheart.candidates import read_bases
from byheart.config.compose import read_request
from byheart.config.folders import conf_folder, sweeps_folder
from byheart.dispatch import check
from byheart.errors import UserError
from byheart.interface import Options
from byheart.results import EvaluateResult, ExpandResult, LearnResult, SweepResult
from byheart.use.asking import Reply
from contracts.expansion_contract import ExpansionContract

ROOT = Path(__file__).parents[1]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs/guides").glob("*.md"))]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LONGEST = 30  # words of a sentence
OWN = (ROOT / "docs/guides/write_your_own_strategy.md").read_text(encoding="utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


def commands():
    for guide in GUIDES:
        for block in blocks(guide.read_text(encoding="utf-8")):
            for line in block.splitlines():
                if re.match(r"byheart (learn|expand|check|sweep|bases) ", line):
                    yield pytest.param(line, id=f"{guide.stem}: {line[8:60]}")


@pytest.mark.parametrize("line", commands())
def test_every_command_shown_is_understood(line, tmp_path, monkeypatch):
    """The files that a guide speaks of are made up; any other problem is the guide's fault."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    for name in ("handbook.pdf", "rules.md"):
        Path(name).write_text("The ball is round. A player may kick it.\n")
    Path("exam.jsonl").write_text('{"question": "What is round?", "answers": ["the ball"]}\n')
    for name in ("pairs.jsonl", "keep.jsonl"):
        Path(name).write_text('{"question": "What is round?", "answer": "the ball"}\n')
    Path("mine.yaml").write_text((sweeps_folder() / "smoke.yaml").read_text(encoding="utf-8"))
    command, *words = shlex.split(line, comments=True)[1:]
    if any(word.startswith("resume=") for word in words) or any("numbers]" in word for word in words):
        return  # a run that is there; the strategy that the guide itself writes
    if command == "sweep":
        name, *words = words
        folder = tmp_path if name.endswith(".yaml") else sweeps_folder()
        words = ["-cd", str(folder), "-cn", name.removesuffix(".yaml"), *words]
    Path("docs").mkdir()
    Path("docs/rules.md").write_text("The ball is round.\n")
    try:
        read_bases(words) if command == "bases" else check(read_request(words))
    except UserError as error:
        faults = [
            problem
            for problem in error.problems
            if not re.search(r"DIR_OR_HUB_ID|BYHEART|is not installed", str(problem))
        ]
        assert not faults, "\n".join(map(str, faults))


@pytest.mark.parametrize("name", ["questions", "rewrites"])
def test_the_prompts_are_shown_as_they_are_sent(name):
    shown = blocks((ROOT / "docs/guides/expansion.md").read_text(encoding="utf-8"), "text")
    assert (conf_folder() / f"prompts/{name}.txt").read_text(encoding="utf-8") in shown


def test_every_member_of_the_two_families_has_its_line():
    for group, guide in (("expansion", "expansion.md"), ("teacher", "teachers.md")):
        text = (ROOT / "docs/guides" / guide).read_text(encoding="utf-8")
        for path in (conf_folder() / group).glob("*.yaml"):
            assert f"| `{path.stem}` |" in text or f"`{group}={path.stem}`" in text, path


def test_the_table_of_models_and_memory_has_every_preset():
    text = (ROOT / "docs/guides/one_gpu.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|", text, re.M)
    assert {name for name, *_ in rows} == {path.stem for path in (conf_folder() / "model").glob("*.yaml")}
    assert all(float(memory) * 2**30 > 2e9 * float(billions) for _, billions, memory in rows), "more than the weights"


def test_each_advice_names_a_test_that_is_there():
    rows = (ROOT / "docs/guides/advice.md").read_text(encoding="utf-8").splitlines()
    named = [
        re.search(r"`(tests/[\w/]+\.py)::(\w+)` \|$", row)
        for row in rows
        if row.startswith("| ") and "place" not in row
    ]
    assert len(named) > 15 and all(named)
    for found in named:
        assert f"def {found[2]}(" in (ROOT / found[1]).read_text(encoding="utf-8"), found[0]


def _numbers():
    """The strategy as the guide has it, a module of its own."""
    name = "numbers_of_the_guide"
    if name not in sys.modules:
        spec = importlib.util.spec_from_loader(name, loader=None)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        exec(compile(blocks(OWN, "python")[0], name, "exec"), module.__dict__)
    return sys.modules[name].Numbers


def test_the_python_names_that_the_readme_uses_exist():
    """Each call has the options that it is given, and each attribute is one of the result's."""
    (block,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")
    tree = ast.parse(block)
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(byheart.__all__) and all(callable(getattr(byheart, name)) for name in imported)
    results = {
        "learn": LearnResult,
        "expand": ExpandResult,
        "evaluate": EvaluateResult,
        "sweep": SweepResult,
        "ask": Reply,
    }
    calls = {node.func.id: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls.keys() == results.keys()
    for call in calls.values():
        assert {keyword.arg for keyword in call.keywords} <= Options.__annotations__.keys()
    used = {(ast.unparse(node.value), node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for value, attribute in used:
        name = value.partition("(")[0]
        kind = results["learn" if name == "result" else name]
        assert hasattr(kind, attribute) or attribute in {field.name for field in fields(kind)}, (value, attribute)


class TestTheStrategyOfTheGuide(ExpansionContract):
    def expansion(self, **options):
        return _numbers()(**options)

    def source(self):
        return toys.ham_radio()

    def test_it_asks_for_each_figure(self):
        source = toys.source("# Fees\n\nMembers pay 40 dollars before 1 March. Guests pay nothing.\n")
        written = self.expansion().expand(source)
        assert {e.answer for e in written.examples} == {"40", "1"}
        assert all(e.answer not in e.subject for e in written.examples if e.answer == "40")
        assert list(written.uncovered.values()) == ["it holds no figure"]


def test_the_yaml_of_the_guide_fits_its_class():
    settings = yaml.safe_load(blocks(OWN, "yaml")[0])
    assert settings.pop("_target_") == "byheart.expansion.numbers.Numbers"
    strategy = _numbers()
    assert settings == {field.name: getattr(strategy(), field.name) for field in fields(strategy)}


def _inlines(page: Path) -> list[list]:
    """The inline tokens of each paragraph, list item and heading, outside code blocks and tables."""
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    return [
        token.children
        for before, token in pairwise(tokens)
        if token.type == "inline" and before.type not in ("th_open", "td_open")
    ]


def _sentences(inlines: list) -> list[str]:
    """Inline code is one word, a link is its text, an image nothing."""
    said = {"code_inline": "CODE", "softbreak": " ", "hardbreak": " "}
    text = "".join(said.get(token.type, token.content if token.type == "text" else "") for token in inlines)
    return re.split(r"(?<=[.!?])\s+|(?<=[.!?][\"\u201d)])\s+(?=[A-Z])", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_sentence_is_longer_than_thirty_words(page):
    sentences = [sentence for inlines in _inlines(page) for sentence in _sentences(inlines)]
    words = {sentence: sum(any(map(str.isalnum, word)) for word in sentence.split()) for sentence in sentences}
    long = [f"{count} words: {sentence}" for sentence, count in words.items() if count > LONGEST]
    assert not long, "\n".join(long)


def _anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_is_named_is_there(page):
    """Scripts and pages that are named in inline code; the guide of one's own strategy also names files to be written."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    named = re.findall(r"`((?:docs|benchmarks|examples|tests|conf|sweeps|src)/[\w/.-]*\.\w+)(?:::\w+)?`", text)
    missing = [
        name
        for name in named
        if not (ROOT / name).exists() and "/numbers." not in name and "/test_numbers." not in name
    ]
    assert not missing


def test_the_table_of_model_classes_has_each_class_of_the_toy_models():
    rows = re.findall(r"^\| \w+ \(`(\w+)`\) \|", (ROOT / "docs/model_classes.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) >= 30 and set(rows) == set(zoo.CLASSES)
