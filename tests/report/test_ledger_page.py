"""The ledger's page holds every example as it was written, and what is kept in it is what `expansion=file` reads."""

import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import html

from byheart import cli
from byheart.expansion.file import FIELDS
from byheart.expansion.ledger import ASKED
from byheart.records import Example, Fact, Rejection
from byheart.report.ledger_page import Ledger, after_expand, learn_from_kept, write_ledger_page
from byheart.report.tables import printable
from byheart.report.terminal import Terminal
from byheart.results import ExpandResult
from byheart.store import read_json, read_jsonl, read_records, write_json, write_jsonl

TEXTS = (
    "</script><script>document.title = 'owned'</script><!-- <script>",
    "\"double\" 'single' `tick` back\\slash & &amp; &lt;b&gt; {{ 7 * 7 }} {% if %} \\",
    "שלום עולם 123 (abc)",
    "مرحبا بالعالم, 42 km",
    "def f(x):\n\treturn {'a': [x]}\n\nf(1)",
    "Donaudampfschifffahrtsgesellschaftskapitän" * 6,
    "👩‍👩‍👧‍👦 🇩🇪 é ñ 中文字符",
    "$\\frac{a}{b} \\neq \\beta$, E = mc², ∑ᵢ xᵢ ≤ 1",
    "a line\u2028separator, a \x07 bell and a \u202enrut\u202c turn",
)
HANDBOOK = """# The </script><b>Handbook</b>

## Part one

### The lamp & the "oil"

The keeper lights the lamp of Farrow Point at sunset. The lamp burns two litres of oil each night.

### The horn

The keeper sounds the horn every ninety seconds in fog.

## Part two

The supply boat comes to Farrow Point on the first of May. The supply boat carries forty barrels of oil.
"""
QUESTION = {"question": "How much oil does the lamp of Farrow Point burn each night?", "answers": ["two litres"]}
OVERRIDES = [
    "documents=texts",
    "questions=questions.jsonl",
    "expansion=[rules,file]",
    "expansion.rules.per_chunk=30",
    "expansion.rules.examples_per_fact=5",
]
NOTE = "# A note\n\nThe bell of the harbour weighs ninety kilograms.\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run of `expand` by rules and by a file that says some pairs twice, asks one of the user's questions, and more."""
    here = tmp_path_factory.mktemp("ledger")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        Path("texts").mkdir()
        Path("texts/handbook.md").write_text(HANDBOOK)
        Path("texts/note.md").write_text(NOTE)
        Path("questions.jsonl").write_text(json.dumps(QUESTION) + "\n")
        pairs = [{"question": f"Q {text}", "answer": f"A {text}", "section": "The horn"} for text in TEXTS]
        same = {"question": QUESTION["question"], "answer": "Two litres of oil."}
        Path("pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in [*pairs, pairs[0], same]))
        assert cli.main(["expand", *OVERRIDES, "expansion.file.path=pairs.jsonl", "hydra.run.dir=run"]) == 0
    return here


@pytest.fixture
def run(written, monkeypatch):
    monkeypatch.chdir(written)
    return Path("run")


def data_of(page):
    return json.loads(page.xpath("string(//script[@id='data'])"))


def parsed(run):
    return html.fromstring((run / "ledger.html").read_text("utf-8"))


def test_every_example_and_refusal_is_in_the_page_as_it_was_written(run):
    data, page = data_of(parsed(run)), parsed(run)
    written = read_jsonl(run / "examples.jsonl", Example)
    refused = read_jsonl(run / "rejected.jsonl", Rejection)
    assert len(refused) >= 2 and len(data["rows"]) == len(written) + len(refused)
    wide = len(FIELDS)
    for example, row in zip([*written, *(each.example for each in refused)], data["rows"], strict=True):
        values = dict(zip(data["fields"], row, strict=False))
        assert (values["question"], values["answer"], row[wide + 1]) == (
            example.question,
            example.answer,
            example.expansion,
        )
        assert tuple(data["facts"][number] for number in values["facts"]) == example.facts
        assert data["chunks"][values["chunk"]][0] == example.chunk
        (article,) = page.xpath(f"//article[@id='p{row[wide]}']")
        facts = {fact.id: fact.text for fact in read_jsonl(run / "facts.jsonl", Fact)}
        if example.facts:
            assert article.xpath("string(blockquote)") == facts[example.facts[0]]
    assert [(row[wide + 2], row[wide + 3]) for row in data["rows"][len(written) :]] == [
        (each.reason, each.detail) for each in refused
    ]
    assert {row[wide + 2]: row[wide + 4] for row in data["rows"][len(written) :]}[ASKED] is False
    assert {f"Q {text.strip()}" for text in TEXTS} <= {row[0] for row in data["rows"]}


def test_no_text_breaks_out_and_nothing_is_loaded(run):
    source, page = (run / "ledger.html").read_text("utf-8"), parsed(run)
    scripts = page.xpath("//script")
    assert [script.get("type") for script in scripts] == ["application/json", None]
    assert len(page.xpath("//style")) == 1 and not page.xpath(
        "//@src | //link | //img | //iframe | //b[text()='Handbook']"
    )
    assert not re.search(r"https?:|url\(|@import", re.sub(r"http://www\.w3\.org/\S+", "", source))
    policy = page.xpath("string(//meta[@http-equiv]/@content)")
    assert b64encode(hashlib.sha256(scripts[1].text.encode()).digest()).decode() in policy


def test_the_contents_have_each_document_and_heading_with_its_chunks(run):
    page = parsed(run)
    lines = [
        (line.xpath("string(a)"), line.get("style"), line.get("data-first"), line.get("data-last"))
        for line in page.xpath("//*[@id='contents']//li")
    ]
    assert lines == [
        ("Part one", "--depth:0", "0", "1"),
        ('The lamp & the "oil"', "--depth:1", "0", "0"),
        ("The horn", "--depth:1", "1", "1"),
        ("Part two", "--depth:0", "2", "2"),
        ("The bell of the harbour weighs ninety ki…", None, "3", "3"),
    ]
    assert [each.xpath("string(summary)").split()[0] for each in page.xpath("//*[@id='contents']/details")] == [
        "The",
        "A",
    ]
    assert len(page.xpath("//details[@class='chunk'][summary]")) == 4 + 1


def test_the_counts_are_those_of_the_ledger_and_shortfalls_are_marked(run):
    account, page = read_json(run / "ledger.json"), parsed(run)
    short = 0
    for number, row in enumerate(account["by_chunk"].values()):
        (chunk,) = page.xpath(f"//details[@id='c{number}']")
        said = chunk.xpath("string(summary)")
        assert f"{row['kept']} kept" in said and f"quota {row['asked']}" in said
        missing = row["asked"] - row["kept"]
        assert (f"short by {missing}" in said) == (chunk.get("data-short") is not None) == (missing > 0)
        short += missing > 0
    assert short and f"{short} chunk" in page.xpath("string(//p[@class='result'])")
    ledger = Ledger.read(run)
    bare = {fact for fact, ways in account["facts"].items() if min(ways.values()) < 5}
    assert bare and {fact.id for fact in ledger.facts if ledger.lacking(fact.id)} == bare
    assert len(page.xpath("//article[@data-short]")) == len(bare)


def test_an_example_whose_fact_and_chunk_are_unknown_is_not_lost(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    examples = read_jsonl(folder / "examples.jsonl", Example)
    examples[0] = replace(examples[0], facts=("gone",), chunk="gone")
    write_jsonl(folder / "examples.jsonl", examples)
    write_ledger_page(folder)
    row = data_of(parsed(folder))["rows"][0]
    assert row[0] == examples[0].question and row[len(FIELDS)] == -1


def test_examples_come_back_from_their_own_fields_unchanged(run, tmp_path):
    """What the page saves has FIELDS: `expansion=file` makes the same examples of it, tied to the same facts."""
    examples = read_jsonl(run / "examples.jsonl", Example)[::2]
    write_jsonl("kept.jsonl", [{name: getattr(example, name) for name in FIELDS} for example in examples])
    assert expanded("kept.jsonl", tmp_path) == {replace(example, expansion="file") for example in examples}


def expanded(path, folder):
    """The examples of the line that the page shows, with another file."""
    line = learn_from_kept([*OVERRIDES, "expansion.file.path=x"])
    words = [each.replace("keep.jsonl", str(path)) for each in shlex.split(line)[2:]]
    assert words[:2] == ["documents=texts", "questions=questions.jsonl"] and len(words) == 4
    assert cli.main(["check", *words]) == 0
    assert cli.main(["expand", *words, f"hydra.run.dir={folder / 'again'}"]) == 0
    assert read_records(folder / "again/rejected.jsonl") == []
    return set(read_jsonl(folder / "again/examples.jsonl", Example))


ACTS = """
const chunk = document.getElementById("c1");
chunk.open = true;
setTimeout(() => {
  const pairs = () => [...chunk.querySelectorAll(".pair")];
  const at = (words) => pairs().find((pair) => pair.textContent.includes(words));
  at("42 km").querySelector(".toggle").click();
  at("Q 👩").querySelectorAll("button")[1].click();
  chunk.querySelector(".editing textarea").value = "Edited <b>?\\n";
  chunk.querySelector(".editing .buttons button").click();
  const text = pairs().map((pair) => pair.querySelector(".text").innerText);
  const bars = document.getElementById("marks").innerText;
  const choose = (key, value) => {
    const select = document.querySelector(`select[data-key=${key}]`);
    select.value = value;
    select.dispatchEvent(new Event("change"));
    return document.getElementById("found").querySelector("span").textContent;
  };
  const found = { refused: choose("state", "refused"), blank: choose("state", "") && choose("angle", "blank") };
  document.getElementById("drop-found").click();
  choose("angle", "");
  choose("state", "refused");
  document.getElementById("keep-found").click();
  let saved = "";
  window.Blob = class { constructor(parts) { saved = parts.join(""); } };
  URL.createObjectURL = () => "#";
  HTMLAnchorElement.prototype.click = function () { saved = [this.download, saved]; };
  document.getElementById("save").click();
  const out = document.createElement("pre");
  out.id = "out";
  out.textContent = encodeURIComponent(JSON.stringify({ text, bars, found, saved, title: document.title }));
  document.body.append(out);
}, 300);
"""


def test_what_is_kept_in_the_browser_is_what_is_learned(run, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium")
    source = (run / "ledger.html").read_text("utf-8")
    source = re.sub(r"<meta http-equiv[^>]*>", "", source).replace("</body>", f"<script>{ACTS}</script></body>")
    (tmp_path / "page.html").write_text(source, "utf-8")
    flags = ["--headless", "--no-sandbox", "--virtual-time-budget=3000", f"--user-data-dir={tmp_path / 'profile'}"]
    page = (tmp_path / "page.html").as_uri()
    shown = subprocess.run([chromium, *flags, "--dump-dom", page], capture_output=True, timeout=120, check=True).stdout
    said = json.loads(unquote(re.search(rb'id="out">([^<]*)', shown)[1].decode()))
    examples = read_jsonl(run / "examples.jsonl", Example)
    refused = read_jsonl(run / "rejected.jsonl", Rejection)

    assert said["title"].startswith("The </script>Handbook")
    texts = "\n".join(said["text"])
    for text in (each for each in TEXTS if "👩" not in each):
        assert printable(f"Q {text}") in texts, text
    assert "1 dropped, 1 edited" in said["bars"] and f"{len(examples) - 1} examples to train on" in said["bars"]
    blank = [example for example in examples if example.angle == "blank"]
    assert said["found"]["refused"].startswith(f"{len(refused)} examples") and len(refused) == 2
    assert blank and said["found"]["blank"].startswith(f"{len(blank)} example")

    # The pair that the file has twice is in already, and the user's question is never trained on.
    name, lines = said["saved"]
    (tmp_path / name).write_text(lines, "utf-8")
    kept = {
        replace(example, expansion="file")
        for example in examples
        if example.angle != "blank" and "42 km" not in example.question
    }
    (edited,) = (example for example in kept if "👩" in example.question)
    back = expanded(tmp_path / name, tmp_path)
    assert name == "keep.jsonl" and back - kept == {
        replace(edited, question="Edited <b>?", id=next(iter(back - kept)).id)
    }
    assert kept - back == {edited}


def test_expand_ends_with_what_it_wrote_what_is_short_and_lines_to_copy(run):
    account, shown = read_json(run / "ledger.json"), io.StringIO()
    Terminal(shown).result(ExpandResult("finished", run))
    text = shown.getvalue()
    prose = [line for line in text.splitlines() if "byheart learn" not in line and "/" not in line]
    assert all(len(line) <= 80 for line in prose)
    said = " ".join(" ".join(prose).split())
    facts, refused = len(account["facts"]), sum(account["rejected"].values())
    short = sum(row["kept"] < row["asked"] for row in account["by_chunk"].values())
    assert f"{account['kept']} examples on {facts} facts in 4 chunks, {short} of them short of their quota" in said
    assert not account["uncovered"] and "all facts asked in both directions" in said and f"{refused} refused" in said
    assert str(run / "ledger.html") in text
    every, kept = (line.strip() for line in text.splitlines() if "byheart learn" in line)
    assert shlex.split(every)[2:] == [*OVERRIDES, "expansion.file.path=pairs.jsonl"]
    assert kept == parsed(run).xpath("string(//pre[@class='copy'])")
    assert shlex.split(kept)[2:] == [*OVERRIDES[:2], "expansion=file", "expansion.file.path=keep.jsonl"]


def test_where_the_rules_fall_short_a_teacher_is_proposed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    folder = shutil.copytree(run, tmp_path / "run")
    account = read_json(folder / "ledger.json")
    write_json(folder / "ledger.json", {**account, "by_expansion": {"rules": account["kept"]}})
    (*_, (why, line)) = after_expand(folder)[1]
    assert "teacher" in why and "estimate=true" in line and cli.main(["check", *shlex.split(line)[2:]]) == 0
    for other in (
        {},
        {"by_expansion": {"rules": 9}, "by_chunk": {}},
        {"by_expansion": {"rules": 9}, "short": ["max_examples=9 was reached"]},
    ):
        write_json(folder / "ledger.json", {**account, **other})
        assert len(after_expand(folder)[1]) == 2


def test_all_facts_are_drawn_in_order_with_what_the_model_holds_of_them(run, tmp_path):
    assert not parsed(run).xpath("//*[@id='facts']"), "nothing is measured yet"
    folder = shutil.copytree(run, tmp_path / "measured")
    facts = read_jsonl(folder / "facts.jsonl", Fact)
    kinds = ["says", "chooses", "ends", "none", "says"]
    rows = [
        {"fact": fact.id, "question": "Q?", "answer": "A", "held_out": number == 0, "before": "none", "after": kind,
         "untuned": {"said": ""}, "tuned": {"said": TEXTS[0]}}
        for number, (fact, kind) in enumerate(zip(facts, kinds, strict=False))
    ]  # fmt: skip
    write_jsonl(folder / "profile.jsonl", rows)
    write_ledger_page(folder)
    page = parsed(folder)
    cells = page.xpath("//*[@id='facts']//a[contains(@class, 'cell')]")
    assert [cell.get("class").split()[1] for cell in cells] == [*kinds, *["unmeasured"] * (len(facts) - len(kinds))]
    for cell, fact in zip(cells, facts, strict=True):
        (article,) = page.xpath(f"//article[@id='{cell.get('href')[1:]}']")
        assert article.xpath("string(blockquote)") == fact.text
    legend = {row.xpath("string(th)").strip(): [int(td.text) for td in row.xpath("td")] for row in page.xpath("//*[@id='facts']//tbody/tr")}  # fmt: skip
    assert list(legend.values()) == [[0, 2], [0, 1], [0, 1], [5, 1], [len(facts) - 5] * 2]
    groups = [(row.xpath("string(*[@class='name'])"), row.xpath("string(*[@class='said'])")) for row in page.xpath("//div[@class='group']")]  # fmt: skip
    assert groups == [("Part one", "1 of 3"), ("Part two", "1 of 2"), ("A note", "")]
    listed = page.xpath("//*[@id='facts']//details//li/a/@href")
    assert listed == [cell.get("href") for cell, kind in zip(cells, kinds, strict=False) if kind != "says"]
    said = page.xpath("//p[contains(@class, 'profile')]//b")
    assert {each.xpath("string()") for each in said} == {printable(TEXTS[0])}
    assert len(page.xpath("//script")) == 2
    assert "1 was asked for in a held-out way" in " ".join(page.xpath("string(//*[@id='facts'])").split())
