import math
import re
from itertools import pairwise

import pytest
from fake_run import write_fake_run
from lxml import html

from byheart.report.kinds_plot import Course, svg
from byheart.report.page import write_page
from byheart.training.kinds import GENERAL, KindPoint, write_kinds

SHARES = {"trained_wording": 1.0, "heldout_wording": 0.5, "heldout_angle": 0.5, "heldout_fact": 0.0}


def points(*without):
    found = []
    for epoch in (0, 1, 2, 4):
        found += [
            KindPoint(9 * epoch, float(epoch), kind, share * epoch / 4, 24, 1.0)
            for kind, share in SHARES.items()
            if kind not in without
        ]
        if GENERAL not in without:
            found.append(KindPoint(9 * epoch, float(epoch), GENERAL, None, 12, 3.0 + math.log(1 + epoch / 10)))
    return found


def places(drawing, tag, kind, *names):
    return [[float(each.get(name)) for name in names] for each in html.fromstring(drawing).xpath(f"//{tag}[@class='{kind}']")]  # fmt: skip


@pytest.mark.parametrize("width", [380, 760])
def test_each_kind_is_a_line_with_its_name_beside_its_end(width):
    drawing = svg(Course(points()), width)
    labels = []
    for kind, share in SHARES.items():
        dots = places(drawing, "circle", kind, "cx", "cy")
        assert len(dots) == 4 and [x for x, _ in dots] == sorted(x for x, _ in dots)
        assert dots[-1][1] == pytest.approx(254 - 240 * share, abs=0.1)
        ((x, y),) = places(drawing, "text", kind, "x", "y")
        labels.append(y)
        assert x > dots[-1][0] and abs(y - 4 - dots[-1][1]) < 20
    labels.sort()
    assert all(b - a >= 14.9 for a, b in pairwise(labels)), "no name lies on another"
    general = places(drawing, "circle", GENERAL, "cy")
    assert general == sorted(general, reverse=True) and general[0] > general[-1]
    numbers = [float(number) for number in re.findall(r'[xy]\d?="(-?[\d.]+)"', drawing)]
    assert min(numbers) >= 0 and max(numbers) <= 400 + width


def test_the_numbers_are_those_of_the_run_in_words_too():
    course = Course(points("heldout_fact"))
    assert [ratio for _, ratio in course.ratios] == pytest.approx([1, 1.1, 1.2, 1.4])
    assert course.table[0] == (0.0, ["0 of 24", "0 of 24", "0 of 24", "× 1.00"])
    assert course.table[-1] == (4.0, ["24 of 24", "12 of 24", "12 of 24", "× 1.40"])
    (absent,) = course.absent
    assert absent.startswith("held-out fact: every fact is taught")


@pytest.mark.parametrize(
    "some", [[], points()[:5], points(*SHARES), [KindPoint(3, 0.5, GENERAL, None, 12, math.nan)]], ids=str
)
def test_without_a_course_nothing_is_drawn(some):
    assert svg(Course(some)) == ""


def test_the_report_has_the_picture_where_it_was_measured(tmp_path):
    folder = write_fake_run(tmp_path)
    assert 'id="course"' not in write_page(folder).read_text()
    write_kinds(folder / "kinds.csv", points("heldout_fact"))
    page = html.fromstring(write_page(folder).read_text())
    (section,) = page.xpath("//section[@id='course']")
    assert len(section.xpath(".//svg")) == 2 and page.xpath("//nav/a[@href='#course']")
    assert "Not drawn: held-out fact" in section.xpath("string()")
    cells = section.xpath(".//tbody/tr[last()]/*/text()")
    assert cells == ["4", "24 of 24", "12 of 24", "12 of 24", "× 1.40"]
