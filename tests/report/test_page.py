"""The page opens, holds every probe, and nothing in a document can break out of it."""

import csv
import hashlib
import io
import json
from base64 import b64encode
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fake_run import write_fake_run
from lxml import html

from byheart.pipeline.run import Run
from byheart.progress import Advanced, Checked, StageEnded
from byheart.records import Chunk, CurvePoint, Document
from byheart.report.curve import svg
from byheart.report.page import Folder, render, write_page
from byheart.report.sections import Sections
from byheart.report.tables import MODELS, printable
from byheart.report.terminal import Terminal, pick, spark
from byheart.store import read_json, read_records, write_json, write_jsonl
from byheart.training.curve import read_curve

HOSTILE = "</script><script>alert(1)</script><!-- & \" ' <img src=x onerror=alert(2)>"


def rows(count=12):
    return [
        {
            "id": str(i), "source": "questions", "document": "d", "angle": "", "direction": "", "question": f"{HOSTILE} {i}?",
            "accepted": ["right"], "options": [], "facts": [], "tags": {}, "untuned": "wrong", "untuned_option": None,
            "untuned_right": False, "untuned_metrics": {}, "open_book": "right", "open_book_option": None, "open_book_right": True,
            "open_book_metrics": {}, "tuned": HOSTILE, "tuned_option": None, "tuned_right": i % 2 == 0, "tuned_metrics": {},
        }
        for i in range(count)
    ]  # fmt: skip


def block(value):
    return {"contains": {"value": value, "count": 12, "low": max(0, value - 0.2), "high": min(1, value + 0.2)}}


def a_run(folder):
    write_jsonl(folder / "answers.jsonl", rows())
    write_json(folder / "scores.json", {"untuned": block(0), "open_book": block(1), "tuned": block(0.5), "paired": block(0.5),
        "halves": {}, "by_document": {}, "by_angle": {}, "probes": "questions", "headline": "contains", "open_book_how": {}})  # fmt: skip
    write_json(
        folder / "run.json", {"state": "finished", "name": HOSTILE, "timings": {"training": 3.0}, "notes": [HOSTILE]}
    )
    return folder


def test_hostile_text_stays_text(tmp_path):
    page = html.fromstring(write_page(a_run(tmp_path)).read_text())
    assert len(page.xpath("//table//*[contains(text(), 'onerror')]")) >= 12
    assert not page.xpath("//img") and not any("<img" in (script.text or "") for script in page.xpath("//script"))


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    page = html.fromstring(write_page(a_run(tmp_path)).read_text())
    assert not page.xpath("//script[@src] | //link[@rel='stylesheet'] | //iframe")
    assert not any(source.startswith("http") for source in page.xpath("//@src"))


def test_an_empty_run_folder_still_gives_a_page(tmp_path):
    write_json(tmp_path / "run.json", {"state": "interrupted"})
    assert "interrupted" in write_page(tmp_path).read_text()


def test_the_log_of_a_run_is_plain_and_fits_eighty_columns(tmp_path):
    a_run(tmp_path)
    log = io.StringIO()
    shown = Terminal(log)
    shown(StageEnded("documents", "Reading", 0.1, ("a note " * 30,)))
    shown.curve(
        CurvePoint(1, 10.25, 4, 2.0, 1.5, 0.5, 1e-4, 1.0, 1.0, 0.5),
        [CurvePoint(1, 0.25, 4, 2.0, 1.5, 0.5, 1e-4, 1.0, 1.0)] * 30,
    )
    shown.scores(json.loads((tmp_path / "scores.json").read_text()))
    shown.probes(rows())
    assert "\x1b" not in log.getvalue() and "contains the answer" in log.getvalue()
    assert all(len(line.rstrip()) <= 80 for line in log.getvalue().splitlines())


def test_a_log_names_the_stage_before_its_curve(tmp_path):
    log = io.StringIO()
    shown = Terminal(log)
    with Run(tmp_path, shown) as run:
        with run.stage("documents", "Reading"):
            pass
        with run.stage("training", "Learning by heart"):
            run.send(Checked("training", CurvePoint(1, 0.25, 4, 2.0, 1.5, 0.5, 1e-4, 1.0, 1.0), []))
    heads = [line.split("  ")[0] for line in log.getvalue().splitlines()]
    assert heads == ["✓ Reading", "· Learning by heart", "", "", "✓ Learning by heart"]


def test_a_table_with_a_retrained_model_wraps_no_line(tmp_path):
    scores = {name: block(0.5) | {"margin": {"value": -1, "low": -1.5, "high": -0.5, "count": 9}} for name in MODELS}
    log = io.StringIO()
    Terminal(log).scores(scores)
    lines = log.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[2].split() == ["untuned", "open", "book", "tuned", "retrained"]
    assert any(line.split() == [*"lead over the best wrong".split(), *["-1.00"] * 4] for line in lines)
    assert any(line.split() == ["option", *["-1.50–-0.50"] * 4] for line in lines)


def test_the_probes_shown_are_in_proportion():
    shown = pick([{"tuned_right": i < 60, "untuned_right": False} for i in range(100)], 10)
    assert sum(row["tuned_right"] for row in shown) == 6


def test_a_spark_line_has_its_extremes():
    assert spark([3.0, 1.0, 2.0]) == "█▁▅" and spark([]) == "" and spark([1.0]) == "▁"


def test_every_probe_of_a_whole_run_is_in_the_page(tmp_path):
    folder = write_fake_run(tmp_path, hostile=True)
    asked = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    page = html.fromstring(write_page(folder).read_text())
    shown = [
        html.fromstring(f"<table>{row}</table>") for _, _, row in json.loads(page.xpath("//script[@id='rows']")[0].text)
    ]
    assert (
        len(shown) == len(asked) and len(page.xpath("//script")) == 2 and not any(row.xpath(".//img") for row in shown)
    )
    questions = [row.xpath(".//p")[0].text_content().split() for row in shown]
    assert sorted(questions) == sorted(printable(row["question"]).split() for row in asked)


def test_the_only_script_that_may_run_is_the_one_that_the_page_names(tmp_path):
    page = html.fromstring(write_page(write_fake_run(tmp_path)).read_text())
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    digest = b64encode(hashlib.sha256(page.xpath("//script[not(@type)]")[0].text.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy and "default-src 'none'" in policy


@pytest.mark.parametrize("missing", ["documents.jsonl", "examples.jsonl", "ledger.json", "split.json", "curve.csv",
    "scores.json", "answers.jsonl", "run.json", ".hydra/config.yaml"])  # fmt: skip
def test_the_page_does_without_any_file(tmp_path, missing):
    folder = write_fake_run(tmp_path)
    (folder / missing).unlink()
    assert html.fromstring(write_page(folder).read_text()).xpath("//h1")


def test_without_questions_the_generated_probes_are_the_result(tmp_path):
    page = html.fromstring(write_page(write_fake_run(tmp_path, questions=False)).read_text())
    assert "held-out questions" in page.xpath("//p[@class='result']")[0].text_content()


def test_each_kind_of_question_has_its_line_on_the_page_and_in_eighty_columns(tmp_path):
    scores = read_json(write_fake_run(tmp_path) / "scores.json")
    page = html.parse(write_page(tmp_path)).getroot()
    lines = [" ".join(row.text_content().split()) for row in page.xpath("//*[@id='kinds']//tbody/tr[td[@data-label]]")]
    heads = [cell.text_content() for cell in page.xpath("//*[@id='kinds']//table[contains(@class, 'kinds')]/thead//th")]
    assert heads[2:] == ["untuned", "untuned, open book", "tuned", "tuned, open book"]
    labels = ("your questions", "of them, wrong when untuned", "trained wording", "held-out wording")
    assert [line.startswith(label) for line, label in zip(lines, labels, strict=False)] == [True] * 4
    wrong = scores["unknown"]["tuned"]
    learned = f"{round(wrong['value'] * wrong['count'])} of {wrong['count']}"
    assert page.xpath("//*[@id='scores']//dl[@class='facts']//dd")[0].text == learned, "the headline comes first"
    assert "trained" in page.xpath("//*[@id='filters']//button/text()")

    file = io.StringIO()
    Terminal(file).scores(scores, read_records(tmp_path / "answers.jsonl"))
    shown = file.getvalue()
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines()) and f"Learned: {learned}" in shown
    assert "tuned+book" in shown and "held-out wording" in shown and "Overfit gap" in shown


def test_the_epoch_kept_and_the_one_of_lowest_loss_are_marked():
    points = [CurvePoint(i, i / 2, i, 3.0 / (i + 1), 4.0 / (i + 1), i / 10, 1e-4, 1.0, 1.0) for i in range(7)]
    drawn = html.fromstring(svg(points, 2, 3)).text_content()
    assert "kept: epoch 2" in drawn and "lowest validation loss: epoch 3" in drawn
    assert "validation loss agrees" in svg(points, 3, 3) and svg([]) == ""


def test_no_control_code_of_a_model_reaches_the_terminal():
    log = io.StringIO()
    shown = Terminal(log)
    shown.probes([{**rows(1)[0], "tuned": "\x1b[2J\x07 \u202e gone", "question": "[bold]\x1b]0;title\x07"}])
    shown.warn("\x1b[31m[red]")
    assert not set("\x1b\x07\u202e") & set(log.getvalue()) and "[bold]" in log.getvalue() and "[red]" in log.getvalue()


def test_a_stage_that_fails_is_marked(tmp_path):
    log = io.StringIO()
    with pytest.raises(KeyError), Run(tmp_path, Terminal(log)) as run, run.stage("documents", "Reading"):
        raise KeyError
    assert log.getvalue().startswith("✗ Reading")


def test_a_log_gets_no_progress_lines_of_a_quick_stage():
    log = io.StringIO()
    shown = Terminal(log)
    for step in range(100):
        shown(Advanced("training", step + 1, 100))
    assert log.getvalue() == ""


def test_thousands_of_probes_are_data_of_which_fifty_stand_in_the_page(tmp_path):
    folder = a_run(tmp_path)
    write_jsonl(folder / "answers.jsonl", rows(1000))
    page = html.fromstring(write_page(folder).read_text())
    assert len(page.xpath("//table[@id='list']/tbody/tr")) == 50
    assert len(json.loads(page.xpath("//script[@id='rows']")[0].text)) == 1000


def test_the_contents_name_every_section_and_the_probes_come_last(tmp_path):
    page = html.fromstring(write_page(write_fake_run(tmp_path)).read_text())
    assert [link[1:] for link in page.xpath("//nav/a/@href")] == page.xpath("//main/section/@id")
    assert page.xpath("//main/section/@id")[-1] == "probes"
    assert page.xpath("//pre[@class='copy']")[0].text == "byheart learn documents=a.md epochs=12"


def test_where_nothing_was_held_out_the_page_says_so_and_shows_no_curve_of_it(tmp_path):
    folder = write_fake_run(tmp_path)
    run, points = read_json(folder / "run.json"), read_curve(folder / "curve.csv")
    run["training"] |= {
        "held_out": 0,
        "monitor": "train_recall",
        "chosen_epoch": None,
        "loss_would_choose": None,
        "why_stopped": "",
    }
    write_json(folder / "run.json", run)
    bare = [
        replace(p, val_loss=None, recall=None, token_accuracy=None, bounded_loss=None, train_recall=p.epoch / 10)
        for p in points
    ]
    with (folder / "curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, asdict(bare[0]))
        writer.writeheader()
        writer.writerows(map(asdict, bare))
    split = read_json(folder / "split.json") | {"validation": [], "test": [], "note": "Nothing: split.share=0."}
    write_json(folder / "split.json", split)
    page = html.fromstring(write_page(folder).read_text())
    said = " ".join(page.text_content().split())
    assert "No held-out question watched this training" in said and "Nothing: split.share=0." in said
    assert "validation loss" not in said and "halved" not in said and "held-out answers" not in said
    assert "recall of trained answers (right axis)" in said and page.xpath("//*[name()='polyline'][@class='recall']")
    assert "No held-out question watched" not in write_page(write_fake_run(tmp_path / "watched")).read_text()


def test_a_finished_run_without_questions_says_so_and_still_tells_what_was_forgotten(tmp_path):
    ratio = {"perplexity_ratio": {"value": 1.7, "count": 12, "low": 1.5, "high": 1.9}}
    write_json(tmp_path / "scores.json", {"tuned": ratio, "probes": "generated"})
    write_json(tmp_path / "run.json", {"state": "finished"})
    page = html.fromstring(write_page(tmp_path).read_text())
    assert page.find_class("result")[0].text_content().startswith("No question was asked")
    assert "Forgetting: noticeable" in page.xpath("//section[@id='scores']")[0].text_content()
    assert page.xpath("//nav/a/@href")[0] == "#scores"


def test_questions_are_under_the_section_that_their_author_names(tmp_path):
    text = "# Book\n\n## 1.1 Lamps\n\nThe keeper trims the lamp at sunset.\n\n## 1.2 Horns\n\nThe horn sounds in fog.\n"
    chunks = [
        Chunk(f"c{i}", "d", ("Book", head), text.index(body), text.index(body) + len(body), body, 9)
        for i, (head, body) in enumerate((("1.1 Lamps", "The keeper trims the lamp at sunset."), ("1.2 Horns", "The horn sounds in fog.")))
    ]  # fmt: skip
    write_jsonl(tmp_path / "documents.jsonl", [Document("d", "Book", text, "book.md")])
    write_jsonl(tmp_path / "chunks.jsonl", chunks)
    write_jsonl(tmp_path / "facts.jsonl", [])
    asked = [rows(1)[0] | about for about in (
        {"question": "When does the horn sound?", "support": "1.1"}, {"question": "When does the horn sound?"}, {"question": "Who?", "paragraph": 1},
    )]  # fmt: skip
    assert Sections.read(tmp_path, [each | {"document": "d"} for each in asked]) == Sections(
        ("1.1 Lamps", "1.2 Horns", "1.2 Horns"), guessed=1
    )
    assert Sections.read(tmp_path / "nowhere", asked) == Sections(("", "", ""))


def test_the_page_of_an_old_run_is_still_made():
    """`answers.jsonl` had no metrics and `run.json` no next steps; a run of before the move had neither yet."""
    old = Path(__file__).parents[1] / "fixtures/before_the_move/run/run"
    page = html.fromstring(render(Folder.read(old)))
    assert "This run is interrupted" in page.text_content() and "watched this training" not in page.text_content()
