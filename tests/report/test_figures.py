"""Every figure on the page and the terminal is that of scores.json and answers.jsonl, counted here anew."""

import io
import json
import re
from collections import Counter

import pytest
from fake_run import write_fake_run
from lxml import html

from byheart.evaluation.base import METRICS
from byheart.report.page import write_page
from byheart.report.terminal import Terminal

MODELS = {"untuned": "untuned", "open book": "open_book", "tuned": "tuned"}
OUTCOMES = {
    (False, True): "learned", (False, False): "still wrong", (True, False): "forgotten", (True, True): "known before",
}  # fmt: skip
METRIC = {label: metric for metric, label in METRICS.items()}
PLAIN = ("margin", "margin_gain", "perplexity_ratio")


@pytest.fixture(params=["questions", "generated"])
def run(tmp_path, monkeypatch, request):
    """The folder, scores.json, answers.jsonl, and those rows that the headline counts."""
    monkeypatch.delenv("BYHEART_DATA", raising=False)
    folder = write_fake_run(tmp_path, questions=request.param == "questions")
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    return (
        folder,
        json.loads((folder / "scores.json").read_text()),
        rows,
        [r for r in rows if r["source"] == request.param],
    )


def text(element):
    return " ".join(element.text_content().replace("−", "-").split())


def numbers(words):
    return [float(number) for number in re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?", words)]


def told(value, metric):
    """Value, low and high as the page rounds them."""
    scale, digits = (1, 2) if metric in PLAIN else (100, 0)
    return [float(f"{scale * value[key]:.{digits}f}") for key in ("value", "low", "high")]


def summed(rows):
    """What the sentence under the title counts."""
    found = []
    if rows[0]["options"]:
        picked = [sum(row[f"{m}_right"] for row in rows) for m in ("tuned", "untuned", "open_book")]
        blind = sum(row["tuned_right"] and row["tuned_metrics"]["choice_norm_blind"] == 1 for row in rows)
        found += [picked[0], len(rows), *picked[1:], blind]
    said = [sum(row[f"{m}_metrics"]["contains"] == 1 for row in rows) for m in ("tuned", "untuned", "open_book")]
    return [*found, said[0], len(rows), *said[1:]]


def test_the_result_and_the_headline(run):
    folder, scores, _, asked = run
    page = html.fromstring(write_page(folder).read_text())
    assert numbers(text(page.xpath("//p[@class='result']")[0])) == summed(asked)
    metric = scores["headline"]
    shown = {
        row.get("class").split()[-1]: row
        for row in page.xpath("//section[@id='scores']//div[contains(@class, 'row ')]")
    }
    assert set(shown) == {"untuned", "open_book", "tuned", "tuned_open_book"}
    for model, row in shown.items():
        value, figure = scores[model][metric], row.find_class("figure")[0]
        few = len(asked) < 10  # then counts, and no bar
        hits = [sum(row[f"{model}_right"] for row in asked), len(asked)]
        assert numbers(text(figure.find("b"))) == (hits if few else told(value, metric)[:1])
        assert numbers("" if few else text(figure.find("small"))) == ([] if few else told(value, metric)[1:])
        assert bool(row.find_class("track")) is not few
    facts = {text(each.find("dt")).partition(":")[0]: each for each in page.xpath("//dl[@class='facts']/div")}
    gain = told(scores["paired"][metric], metric)
    assert few or numbers(text(facts["Tuned minus untuned"])) == [gain[0], 95, *gain[1:]]
    ratio = told(scores["tuned"]["perplexity_ratio"], "perplexity_ratio")
    assert numbers(text(facts["Forgetting"])) == [ratio[0], *ratio]


def test_all_measures(run):
    folder, scores, _, _ = run
    page = html.fromstring(write_page(folder).read_text())
    blocks = [scores, *(scores[name] for name in ("generated", "untaught") if name in scores)]
    seen = set()
    for table in page.xpath("//table[@class='measures']"):
        for number, body in enumerate(table.xpath("./tbody")):
            block = blocks[number]
            for row in body.xpath("./tr[not(@class)]"):
                metric = METRIC[row.find("th").text]
                count, *cells = row.findall("td")
                values = {model: block[model].get(metric) for model in MODELS.values()}
                assert int(text(count)) == max(value["count"] for value in values.values() if value)
                for cell in cells:
                    value = values[MODELS[cell.get("data-label")]]
                    assert numbers(text(cell)) == (told(value, metric) if value else [])
                seen.add((number, metric))
    measured = {(number, metric) for number, block in enumerate(blocks) for metric in block["tuned"]}
    assert seen == {each for each in measured if each[1] != "perplexity"}


def test_groups_and_sections(run):
    folder, scores, rows, _ = run
    page = html.fromstring(write_page(folder).read_text())
    for angle, block in scores["by_angle"].items():
        values = [block[model]["contains"] for model in MODELS.values()]
        found = page.xpath(f"//section[@id='groups']//tr[th='{angle}']")
        if values[0]["count"] < 10:  # too few for a bar
            hits = [[round(value["value"] * value["count"]), value["count"]] for value in values]
            assert [numbers(text(cell)) for cell in found[0].findall("td")] == hits
        else:
            row = page.xpath(f"//section[@id='groups']//div[@class='row'][div[starts-with(., '{angle} ')]]")[0]
            assert not found and numbers(text(row.find_class("figure")[0])) == [
                told(block[model]["contains"], "contains")[0] for model in ("untuned", "tuned")
            ]
    rows = [row for row in rows if row["source"] not in ("untaught", "trained")]
    facts = [json.loads(line) for line in (folder / "facts.jsonl").read_text().splitlines()]
    section = {fact["id"]: fact["headings"][-1] for fact in facts}
    asked, wrong = Counter(), Counter()
    for row in rows:  # a question of the exam names no section: its passage is found by words in common
        duty = row["question"].removeprefix("When must the keeper ").rstrip("?")
        fact = row["facts"][0] if row["facts"] else next(f["id"] for f in facts if f"shall {duty} " in f["text"])
        name = section[fact]
        asked[name] += 1
        wrong[name] += not row["tuned_right"]
    shown = page.xpath("//table[thead/tr/th='wrong']/tbody/tr")
    assert {text(row.find("th")): [int(text(cell)) for cell in row.findall("td")] for row in shown} == {
        name: [wrong[name], n] for name, n in asked.items()
    }
    worst = max(asked, key=lambda name: (wrong[name] / asked[name], asked[name]))
    said = text(page.xpath("//p[@class='also']")[0])
    assert (
        f"Least learned sections, by all {len(rows)} probes: {worst} ({wrong[worst]} of {asked[worst]} wrong)" in said
    )
    guessed = sum(not row["facts"] for row in rows)
    assert (
        f"The section of {guessed} questions is that of the passage" in text(page.xpath("//section[@id='groups']")[0])
    ) is bool(guessed)


def test_the_outcomes_of_the_exam(run):
    folder, _, _, asked = run
    page = html.fromstring(write_page(folder).read_text())
    kinds = Counter(OUTCOMES[row["untuned_right"], row["tuned_right"]] for row in asked)
    links = {each.get("data-value"): each for each in page.xpath("//p[@class='also']/a[@data-value]")}
    assert {kind: numbers(text(link)) for kind, link in links.items()} == {kind: [n] for kind, n in kinds.items()}
    assert {link.get("data-source") for link in links.values()} == {asked[0]["source"]}


def test_every_probe_is_shown_with_what_was_picked_and_said(run):
    folder, _, rows, _ = run
    page = html.fromstring(write_page(folder).read_text())
    kinds = Counter(OUTCOMES[row["untuned_right"], row["tuned_right"]] for row in rows)
    buttons = {b.get("data-value"): numbers(text(b.find("small"))) for b in page.xpath("//button[@data-key='outcome']")}
    assert buttons == {"all": [len(rows)], **{kind: [count] for kind, count in kinds.items()}}
    shown = json.loads(page.xpath("//script[@id='rows']")[0].text)
    first = next(kind for kind in ("still wrong", "forgotten", "learned", "known before") if kinds[kind])
    opened = page.xpath("//table[@id='list']/tbody/tr")
    assert len(opened) == min(50, kinds[first]) and {text(row[0]) for row in opened} == {first}
    by_question = {(row["question"], row["id"]): row for row in rows}
    found = []
    for outcome, source, markup in shown:
        cells = html.fromstring(f"<table>{markup}</table>").xpath(".//td")
        question = cells[1].find("p").text
        row = next(row for (asked, _), row in by_question.items() if asked == question and row["source"] == source)
        found.append(by_question.pop((question, row["id"]))["id"])
        assert outcome == text(cells[0]) == OUTCOMES[row["untuned_right"], row["tuned_right"]]
        for cell, model in zip(cells[3:], ("untuned", "tuned"), strict=True):
            replies = [text(reply) for reply in cell.find_class("reply")]
            marks = {True: "✓", False: "✗"}
            wanted = [f"said {row[model]} {marks[row[f'{model}_metrics']['contains'] == 1]}"]
            if row["options"]:
                letter = "ABCD"[row["options"].index(row[f"{model}_option"])]
                wanted.insert(0, f"picked {letter}. {row[f'{model}_option']} {marks[row[f'{model}_right']]}")
            assert replies == [" ".join(each.split()) for each in wanted]
    assert sorted(found) == sorted(row["id"] for row in rows)


def test_the_terminal(run):
    _, scores, rows, asked = run
    log = io.StringIO()
    shown = Terminal(log)
    shown.scores(scores, rows)
    shown.probes(rows)
    lines = log.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    at = next(i for i, line in enumerate(lines) if "own words:" in line)
    start = next(i for i, line in enumerate(lines) if line.startswith(("  Picked", "  In its own")))
    assert numbers(" ".join(lines[start : at + 1])) == summed(asked)
    for metric in ("choice_norm", "contains", "f1", "margin"):
        if metric not in scores["tuned"]:
            continue
        line = next(
            line
            for line in lines
            if line.split("  ")[0].strip() and METRICS[metric].startswith(line.split("  ")[0].strip())
        )
        values = [float(f"{scores[m][metric][key]:.2f}") for m in MODELS.values() for key in ("value", "low", "high")]
        assert numbers(line.replace("–", " ").partition("  ")[2]) == values
    ratio = scores["tuned"]["perplexity_ratio"]["value"]
    assert any(f"general text is {ratio:.2f} times as hard to predict" in line for line in lines)
    kinds = Counter(OUTCOMES[row["untuned_right"], row["tuned_right"]] for row in asked)
    totals = next(line for line in lines if line.startswith(f"  all {len(asked)}:"))
    assert all(f"{count} {kind}" in totals for kind, count in kinds.items())
    labels = Counter(kind for kind in OUTCOMES.values() for line in lines if line.startswith(f"{kind}  "))
    assert sum(labels.values()) == min(10, len(asked))
    assert all(abs(labels[kind] - count * min(1, 10 / len(asked))) < 1 for kind, count in kinds.items())
