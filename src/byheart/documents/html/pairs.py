"""Questions with answers and terms with meanings in a page, rewritten as Markdown's definition lists ("Term", ": meaning").

The extractor makes list items of <dt> and <dd> alike, and forgets where a <details> or an accordion's panel ends.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

from byheart.documents.pairs.find import MOST_WORDS
from byheart.documents.pairs.question_words import asks

if TYPE_CHECKING:
    from lxml.etree import _Element

BLOCKS = "p div section article ul ol li blockquote figure h1 h2 h3 h4 h5 h6 header".split()
UNFIT = "table pre dl details h1 h2 h3 h4 h5 h6".split()  # what an answer of one paragraph cannot hold
HEADINGS = "h1 h2 h3 h4 h5 h6".split()


def mark_pairs(tree: "_Element") -> None:
    """Rewrites the page in place."""
    for dl in list(tree.iter("dl")):
        rewrite_list(dl)
    for details in list(tree.iter("details")):
        summary = next((child for child in details if child.tag == "summary"), None)
        if summary is not None and not (asks_something(summary) and rewrite_panel(summary)):
            summary.tag, details.tag = "h4", "div"
    for heading in list(tree.iter(*HEADINGS)):
        panel = heading.getparent()
        alone = panel is not None and panel.tag in ("div", "li", "section", "article") and panel[0] is heading
        if alone and len(list(panel.iter(*HEADINGS))) == 1 and asks_something(heading):
            rewrite_panel(heading)


def asks_something(element: "_Element") -> bool:
    words = said(element)
    return words.endswith("?") and asks(words)


def rewrite_list(dl: "_Element") -> None:
    entries = [each for child in dl for each in (child if child.tag == "div" else [child])]
    if any(each.tag not in ("dt", "dd") for each in entries) or any(unfit(each) for each in entries):
        return
    if not any(each.tag == "dt" for each in entries):  # only indented
        for each in (dl, *entries):
            each.tag = "div"
        return
    for above, below in pairwise(entries):
        if above.tag == below.tag == "dt":  # two names of one thing
            below.text = f"{said(above)}, {below.text or ''}"
            for child in list(above):
                above.remove(child)
            above.text = ""
    for each in entries:
        if each.tag == "dt":
            each.tag = "p"
        else:
            define(each)
    dl.tag = "div"


def rewrite_panel(question: "_Element") -> bool:
    """The question and what stands beside it in its panel; False where that is no answer of a few paragraphs."""
    from lxml import etree

    panel = question.getparent()
    assert panel is not None
    answer = [child for child in panel if child is not question and isinstance(child.tag, str)]
    words = sum(len(said(each).split()) for each in answer) + len((question.tail or "").split())
    if not 0 < words <= MOST_WORDS or any(unfit(each) or each.tag in UNFIT for each in answer):
        return False
    if (question.tail or "").strip():
        loose = panel.makeelement("p")
        loose.text, question.tail = question.tail, None
        question.addnext(loose)
        answer.insert(0, loose)
        for each in answer[1:]:  # "Yes, <b>always</b>." is one paragraph
            if each.tag not in BLOCKS:
                loose.append(each)
        answer = [each for each in answer if each.getparent() is panel]
    for each in answer:
        define(each)
    etree.strip_tags(question, "button", "a", "span", "div", "p")  # the extractor would drop the words of a button
    question.tag, panel.tag = "p", "div"
    return True


def define(element: "_Element", mark: str = "") -> None:
    """Each paragraph in it begins with ": "."""
    inner = [child for child in element if child.tag in BLOCKS]
    mark = "- " if element.tag == "li" else mark
    if inner and not (element.text or "").strip() and all(child.tag in BLOCKS for child in element):
        for child in inner:
            define(child, mark)
        element.tag = "div"
        return
    if inner:
        words = said(element)
        for child in list(element):
            element.remove(child)
        element.text = words
    element.tag = "p"
    element.text = f": {mark}{(element.text or '').lstrip()}"


def unfit(element: "_Element") -> bool:
    return next(element.iterdescendants(*UNFIT), None) is not None


def said(element: "_Element") -> str:
    return " ".join(" ".join(element.itertext()).split())
