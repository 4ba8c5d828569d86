"""Lists of references are left out and counted; a text about works, and a section that only bears the name, stay."""

import pytest

from byheart.documents.structure.references import leave_out_references
from byheart.records import LeftOut

BODY = "The dam is made of granite [1]. It is 210 m long [1, 2]. As shown in [2], it leaks. The list [9] is open.\n"
NUMBERED = '[1] A. Becker, "Dams," J. Water, vol. 12, no. 3, pp. 45–67, 2011.\n[2] C. Dietz and E. Frost, Lakes, 2nd ed. Harbour Press,\n1998.\n'
PLAIN = "Fourier, J. (1822). *Théorie de la chaleur*. Paris: Didot.\n\nSmith, A., & Jones, B. (2001). Heat. *Journal of Heat*, 12(3), 33–47.\n"


@pytest.mark.parametrize(
    "heading",
    ["## References", "REFERENCES", "7. Bibliography", "# Literaturverzeichnis", "**Bibliographie**", "## 参考文献"],
)
@pytest.mark.parametrize("entries", [NUMBERED, PLAIN])
def test_a_list_of_references_is_left_out_and_counted(heading, entries):
    text, remarks = leave_out_references(f"{BODY * 3}\n{heading}\n\n{entries}\n# Appendix\n\nThe gate is red.\n")
    assert "Becker" not in text and "Fourier" not in text and heading not in text
    assert "The gate is red." in text and remarks[0] == LeftOut("references", 2)
    if entries is NUMBERED:
        assert "of granite. It is 210 m long. As shown in [2], it leaks. The list [9] is open." in text


def test_a_list_without_a_heading_is_known_by_its_numbers():
    text, remarks = leave_out_references(
        f"{BODY * 4}\n{NUMBERED}[3] G. Miller et al., Proc. 4th Conf., 2009, pp. 101–109.\n"
    )
    assert "Miller" not in text and remarks[0] == LeftOut("references", 3)


@pytest.mark.parametrize(
    "text",
    [
        f"{BODY}\n## References\n\nForm A12 is in the office.\n\nThe travel handbook is on the shelf.\n",
        f"{BODY}\n## Sources\n\n- The spring on the hill\n- The old well of 1902\n",
        f"# Bibliography\n\n{NUMBERED}",
        "He wrote in 2011. [1] is a number, and the references of the book are good.\n",
        "[1] Open the lid.\n[2] Fill in the oil of 2011.\n[3] Close the lid.\n",
    ],
)
def test_what_is_no_list_of_references_stays(text):
    assert leave_out_references(text) == (text, [])
