"""Signs that look different and mean the same are one: in what is read, and where answers are compared."""

import pytest

from byheart.documents.languages.folding import fold_typesetting
from byheart.documents.load import load_documents
from byheart.evaluation.recall import compare


def test_typesetting_is_folded_as_a_document_is_read(tmp_path):
    (tmp_path / "a.txt").write_text(
        "The \ufb01rst o\ufb03cer \ufb02ies o\ufb00 the co\u00adast.\u200b It cafe\u0301 opens.\n"
    )
    (document,) = load_documents([str(tmp_path / "a.txt")]).documents
    assert document.text == "The first officer flies off the coast. It café opens.\n"


def test_what_other_scripts_need_stays():
    for text in ("می‌خواهم", "क्‍ष", "👩‍🚀", "m² and ½", "１２３ “quoted” – dash", "ﷺ"):
        assert fold_typesetting(text) == text


SAME = [
    ("the ﬁrst oﬃcer", "first officer"),
    ("“Ostrow’s” hall", '"Ostrow\'s" hall'),
    ("1914–1918", "1914-1918"),
    ("−5 °C", "-5 °C"),
    ("1,500 watts", "1500 watts"),
    ("1\u202f500 watts", "1,500 watts"),
    ("12\u00a0000\u00a0000", "12,000,000"),
    ("three days", "3 days"),
    ("Twelve members", "12 members"),
    ("１２３号", "123号"),
    ("m²", "m2"),
    ("CAFÉ", "cafe\u0301"),
    ("STRASSE", "Straße"),
    ("co\u00adoperate", "cooperate"),
    ("«Oui»", '"Oui"'),
    ("१२ जून", "12 जून"),
    ("١٢ يونيو ٢٠١١", "12 يونيو 2011"),
    ("۸۴ روپے", "84 روپے"),
    ("৩ মে ১৯০৮", "3 মে 1908"),
    ("٤١٫٥ كم", "41.5 كم"),
    ("١٢٥٬٠٠٠", "125000"),
    ("افتُتِحَ المتحف", "افتتح المتحف"),
    ("المـتحف", "المتحف"),
    ("کشتی", "كشتي"),
    ("می‌خواهم", "میخواهم"),
    ("九元。", "九元"),
    ("नाव।", "नाव"),
    ("متحف؟", "متحف"),
]
OTHER = [
    ("thirteen days", "13 days"),
    ("1,500", "1,501"),
    ("in 1, 200 came", "1200"),
    ("cafe", "café"),
    ("one", "two"),
    ("3.5 km", "35 m"),
    ("१३", "12"),
    ("नावें", "नाव"),
    ("२०१०", "10"),
    ("八元", "九元"),
]


@pytest.mark.parametrize(("said", "gold"), SAME)
def test_answers_that_read_alike_are_equal(said, gold):
    found = compare(said, [gold])
    assert (found["exact_match"], found["f1"], found["contains"]) == (1.0, 1.0, 1.0)
    assert compare(f"It is {said}, they say.", [gold])["contains"] == 1.0


@pytest.mark.parametrize(("said", "gold"), OTHER)
def test_answers_that_differ_stay_different(said, gold):
    assert compare(said, [gold])["exact_match"] == 0.0 == compare(said, [gold])["contains"]
