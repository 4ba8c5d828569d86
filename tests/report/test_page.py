"""The page opens, holds every probe, and nothing in a document can break out of it."""

import io
import json

from lxml import html

from byheart.report.page import write_page
from byheart.report.screen import Screen, pick, spark
from byheart.store import write_json, write_jsonl
from byheart.types import CurvePoint

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
    assert not page.xpath("//img") and not any("alert(1)" in (script.text or "") for script in page.xpath("//script"))


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
    screen = Screen(log)
    with screen.stage("Reading") as note:
        note("a note " * 30)
    screen.curve(CurvePoint(1, 0.25, 4, 2.0, 1.5, 0.5, 1e-4, 1.0, 1.0), [])
    screen.scores(json.loads((tmp_path / "scores.json").read_text()))
    screen.probes(rows())
    assert "\x1b" not in log.getvalue() and "contains answer" in log.getvalue()
    assert all(len(line.rstrip()) <= 80 for line in log.getvalue().splitlines())


def test_the_probes_shown_are_in_proportion():
    shown = pick([{"tuned_right": i < 60, "untuned_right": False} for i in range(100)], 10)
    assert sum(row["tuned_right"] for row in shown) == 6


def test_a_spark_line_has_its_extremes():
    assert spark([3.0, 1.0, 2.0]) == "█▁▅" and spark([]) == "" and spark([1.0]) == "▁"
