"""The page's list of facts that can be extracted."""

import json

from fake_run import write_fake_run
from lxml import html

from byheart.report.memorized import SHOWN, section
from byheart.report.page import write_page


def row(i, tuned, untuned=False):
    text = f"Fact {i} of <b>the</b> lamp."
    return {"fact": f"f:{i}", "text": text, "untuned_verbatim": untuned, "tuned_verbatim": tuned}


def at(value, count):
    return {"value": value, "count": count, "low": 0.0, "high": 1.0}


ROWS = [row(i, tuned=i < 15, untuned=i == 0) for i in range(20)]
TASKS = {
    "short answers": {"tuned": {"verbatim": at(0, 12), "ngrams": at(0.1, 12)}},
    "summary": {"tuned": {"verbatim": at(0.75, 12), "ngrams": at(0.5, 12)}},
}


def test_the_page_counts_what_can_be_extracted_and_lists_some_of_it(tmp_path):
    folder = write_fake_run(tmp_path, questions=True)
    (folder / "verbatim.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps(scores | {"verbatim_by_task": TASKS}))
    page = html.fromstring(write_page(folder).read_text())
    (found,) = page.xpath("//section[@id='memorized']")
    words = " ".join(found.text_content().split())
    assert "15 of 20 taught facts" in words and "untuned model gives 1 of them" in words
    listed = found.xpath(".//table[contains(@class, 'texts')]//td")
    assert [cell.text_content() for cell in listed] == [each["text"] for each in ROWS[:SHOWN]]
    assert "3 more are in the file" in words and found.xpath(".//a[@href='verbatim.jsonl']")
    tasks = [
        [cell.text_content() for cell in each] for each in found.xpath(".//table[contains(@class, 'counted')]/tbody/tr")
    ]
    assert tasks == [["summary", "12", "9 of 12", "50\u202f%"], ["short answers", "12", "0 of 12", "10\u202f%"]]
    assert page.xpath("//nav//a[@href='#memorized']")


def test_a_run_without_the_audit_has_no_such_section():
    assert section([], {}) == ""
    assert "0 of 20" in section([row(i, False) for i in range(20)], {})
