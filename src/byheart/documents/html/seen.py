"""What of a page no reader sees, and what is furniture of the page: both are taken out and counted."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from byheart.documents.languages.language import count_words

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NEVER = "script style template noscript svg video audio canvas object embed iframe map datalist input select textarea progress meter".split()
_STYLE = re.compile(
    r"display:none|visibility:hidden|(?:^|;)opacity:0(?:;|$|\.0)|(?:left|top|text-indent|margin-left):-\d{3,}|font-size:0(?:;|$|px)"
    r"|clip:rect\((?:0|1px)|clip-path:inset\((?:50|100)%"
)
_SCREEN_READERS = re.compile(
    r"(?:^|\s)(?:sr-only|visually-?hidden|screen-reader(?:-text|-only)?|screenreader\w*|a11y-hidden|element-invisible|hidden-visually|u-hidden|is-hidden|d-none|hidden|print-only|printonly|visuallyhidden)(?:\s|$)",
    re.I,
)
_RULE = re.compile(r"([^{}]{1,300})\{([^{}]{1,600})\}")
_SIMPLE = re.compile(r"([.#])([\w-]+)")
# Words of a class or id that name furniture, as whole words between blanks or the word before a hyphen.
MOST_NAMES = 1000  # characters of an element's class and id
_SURE = re.compile(
    r"(?:^|\s)(?:[\w-]*(?:cookie|consent|gdpr|breadcrumb|newsletter|sharedaddy|addtoany|disqus|advert|pagination|skip-?(?:link|to|nav)|back-?to-?top|sitemap|navbar"
    r"|headerlink|permalink|anchor-?link|edit-?section|copy-?(?:btn|button)|social-?(?:share|media|links?|icons?|bar|buttons?)|share-?(?:this|bar|buttons?|links?|icons?|tools?|on|wrap\w*)"
    r"|related-?(?:posts?|articles?|content|links?|stories|reading|products?|pages)|recommended-?\w*|more-?(?:from|stories|articles)|site-?(?:header|footer|nav\w*)|page-?footer|"
    r"comment-?(?:list|form|respond|section|area|thread)|comments-?(?:list|area|section|title)|read-?next|you-?may-?also|subscribe|sign-?up|login-?form|mw-jump-?link|"
    r"catlinks|printfooter|siteSub|hatnote|announcement|footer-(?:links|nav|menu|bottom|top|widgets?|legal)|page-?toolbar|[\w-]+-popup|mw-(?:footer|navigation|indicators)|navbox|jp-(?:Input|Output)Prompt|prompt|linenos?|gutter|line-?numbers?|toc(?:tree)?-?wrapper|sphinxsidebar|rst-footer\w*|wy-nav-side)[\w-]*"
    r"|comments|respond|share|sharing|social|promo|ads?|adsbygoogle|sponsored|related|nav|menu|main-menu|sidebar|footer|popup|modal|pager|toc|toolbar|masthead|tags|tag-list|widget|banner)(?=\s|$)",
    re.I,
)
_ROLES = "navigation banner contentinfo search menu menubar toolbar alertdialog dialog".split()
_CONTENT = ("main", "article")
_NAMED = {
    "cookie": "cookie banner", "consent": "cookie banner", "gdpr": "cookie banner", "comment": "comment section", "respond": "comment section", "disqus": "comment section",
    "nav": "navigation block", "menu": "navigation block", "breadcrumb": "navigation block", "pager": "navigation block", "pagination": "navigation block", "toc": "navigation block",
}  # fmt: skip


def drop_unseen(tree: "HtmlElement", counts: Counter[str]) -> None:
    """Takes out what is hidden: by an attribute, by its style, by a rule of the page's style sheet."""
    hidden = _hidden_selectors(tree)
    panels = {each for tag in tree.xpath("//*[@aria-controls]") for each in str(tag.get("aria-controls")).split()}
    for element in list(tree.iter()):
        if not isinstance(element.tag, str):
            if element.getparent() is not None:  # a comment or a processing instruction
                element.drop_tree()
            continue
        if element.getparent() is None or element.tag in ("body", "head", "html"):
            continue
        if element.tag in _NEVER:
            _drop(element)
        elif is_hidden(element, hidden) and not opens(element, panels):
            words = count_words(element.text_content())
            if words and not element.xpath("ancestor-or-self::*[contains(@class, 'katex-html')]"):
                counts["hidden passage"] += 1
            _drop(element)


def is_hidden(element: "HtmlElement", hidden: frozenset[str]) -> bool:
    style = re.sub(r"\s", "", element.get("style", "")).lower()
    names = element.get("class", "")
    if style and _STYLE.search(style):
        return True
    if "hidden" in element.attrib or (element.get("aria-hidden") == "true"):
        return True
    if element.tag == "dialog" and "open" not in element.attrib:
        return True
    if re.search(
        r"(?:^|\s)(?:d-\w+-|\w+:)(?:block|flex|grid|inline\S*|table\S*)(?:\s|$)", names
    ):  # on a wide screen it is seen
        return False
    if names and (_SCREEN_READERS.search(names) or (hidden and any(f".{name}" in hidden for name in names.split()))):
        return True
    return bool(hidden) and f"#{element.get('id', '')}" in hidden


def opens(element: "HtmlElement", panels: set[str]) -> bool:
    """Whether a reader opens it: the panel of a tab or of an accordion."""
    names = f"{element.get('class', '')} {element.get('id', '')}"
    told = element.get("role") == "tabpanel" or element.get("hidden") == "until-found"
    called = element.get("id") in panels and not re.search(r"nav|menu|modal|dialog|drawer|search|cookie", names, re.I)
    shaped = re.search(r"\b(?:tab-?(?:pane|panel|content)|accordion|collaps\w*|faq)", names, re.I) is not None
    above = element.getprevious()
    toggled = above is not None and (
        above.tag == "summary" or toggles(above) or any(toggles(each) for each in above.iter("button"))
    )
    return (told or called or shaped or toggled) and element.tag in (
        "div",
        "section",
        "p",
        "dd",
        "ul",
        "ol",
        "article",
        "tr",
        "td",
        "li",
    )


def toggles(element: "HtmlElement") -> bool:
    """Whether it is the button of an accordion."""
    if element.tag not in ("button", "a", "div", "span", "summary", "h4"):
        return False
    return "aria-expanded" in element.attrib or bool(
        re.search(r"\b(?:accord|collaps|faq|toggle)", element.get("class", ""), re.I)
    )


def name_panels(tree: "HtmlElement") -> None:
    """Headings in place of the buttons that open a panel, and of the names of tabs."""
    by_id = {element.get("id"): element for element in tree.xpath("//*[@id]")}
    for tab in tree.xpath("//*[@role='tab']"):
        panel = by_id.get(tab.get("aria-controls") or tab.get("href", "")[1:])
        words = " ".join(tab.text_content().split())
        if panel is not None and words and not panel.xpath(".//h1|.//h2|.//h3"):
            heading = tree.makeelement("h4")
            heading.text, heading.tail, panel.text = words, panel.text, None
            panel.insert(0, heading)
            _drop(tab)
    for button in tree.xpath("//button"):
        panel = button.getnext()
        if (
            panel is not None
            and panel.tag in ("div", "section", "p", "ul")
            and toggles(button)
            and not (button.tail or "").strip()
        ):
            box = tree.makeelement("div")
            button.addprevious(box)
            button.tag = "h4"
            box.append(button)
            box.append(panel)
            box.tail, panel.tail = panel.tail, None
    for label in tree.xpath("//label"):
        control = by_id.get(label.get("for", ""))
        beside = label.getnext()
        controls = [control] if control is not None else list(label.iter("input", "select", "textarea"))
        if (
            not controls
            and "for" not in label.attrib
            and beside is not None
            and beside.tag in ("input", "select", "textarea")
        ):
            controls = [beside]
        if any(
            each.tag in ("select", "textarea") or each.get("type", "text") not in ("radio", "checkbox")
            for each in controls
        ):
            _drop(label)


def _hidden_selectors(tree: "HtmlElement") -> frozenset[str]:
    """ ".x" and "#x" that the page's own style sheet hides on a screen."""
    found: set[str] = set()
    for sheet in tree.xpath("//style[not(@media) or @media='all' or @media='screen']/text()"):
        plain = re.sub(r"/\*.{0,2000}?\*/", "", str(sheet)[:200_000], flags=re.S)
        plain = re.sub(r"@media[^{}]{0,300}\{(?:[^{}]{0,300}\{[^{}]{0,2000}\}\s*){0,500}\}", "", plain)
        for selectors, body in _RULE.findall(plain):
            if re.search(r"display:none|visibility:hidden", re.sub(r"\s", "", body).lower()):
                found |= {selector.strip() for selector in selectors.split(",") if _SIMPLE.fullmatch(selector.strip())}
    return frozenset(found)


def drop_furniture(tree: "HtmlElement", counts: Counter[str]) -> None:
    """Takes out navigation, banners, footers, what is shared, related and commented on. What holds most of the page stays."""
    body = (tree.xpath("//body") or [tree])[0]
    total = count_words(body.text_content())
    main = body.xpath("//main|//article|//*[@role='main']")
    for element in list(body.iter()):
        if not isinstance(element.tag, str) or element is body or element.getparent() is None:
            continue
        kind = furniture(element, bool(main))
        if not kind:
            continue
        words = count_words(element.text_content())
        holds = element.xpath("descendant-or-self::main|descendant-or-self::article|descendant::h1")
        if holds and kind != "comment section" and words > 12 and element.tag not in ("nav", "footer"):
            continue
        if words > 0.5 * total:
            continue
        if words:
            counts[kind] += 1
        _drop(element)


def furniture(element: "HtmlElement", has_main: bool) -> str:
    """What kind of furniture it is, "" for none."""
    tag, role = element.tag, element.get("role", "")
    inside = any(parent.tag in _CONTENT for parent in element.iterancestors())
    if tag == "nav" or role in ("navigation", "menu", "menubar"):
        return "navigation block"
    if tag in ("header", "footer") and not inside and (has_main or tag == "footer"):
        return "site header" if tag == "header" else "site footer"
    if tag == "aside" and not inside and (has_main or is_linked(element)):
        return "side column"
    if role in _ROLES and not (role == "banner" and inside):
        return "page widget"
    if tag == "button" and not beside_words(element):
        return "button"
    names = f"{element.get('class', '')} {element.get('id', '')}".strip()
    # The pattern tries each letter of a name, so no name may be as long as a page.
    found = _SURE.search(names) if names and len(names) <= MOST_NAMES else None
    if not found or tag in (
        "html",
        "body",
        "main",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "code",
        "pre",
    ):
        return "cookie banner" if found and re.search("cookie|consent|gdpr", names, re.I) and tag == "p" else ""
    word = found[0].strip().lower()
    kind = next((name for part, name in _NAMED.items() if part in word), "page widget")
    if (
        kind == "comment section"
        or kind == "cookie banner"
        or "-" in word
        or tag in ("a", "span", "button", "td", "th")
    ):
        return kind
    # A bare "share" or "related" may name anything: it is furniture where it is made of links, controls or few words.
    return (
        kind
        if is_linked(element) or element.xpath(".//form|.//button") or count_words(element.text_content()) <= 8
        else ""
    )


def is_linked(element: "HtmlElement") -> bool:
    """Whether most of its words are links."""
    words = count_words(element.text_content())
    return words > 0 and sum(count_words(link.text_content()) for link in element.iter("a")) >= 0.5 * words


def beside_words(element: "HtmlElement") -> bool:
    """Whether a button stands in a sentence ("Press <button>Save</button> to ..."), heads a panel or is a heading."""
    parent = element.getparent()
    if parent is None or parent.tag in ("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"):
        return True
    if (
        "aria-controls" in element.attrib
        or "aria-expanded" in element.attrib
        or re.search(r"accord|collaps|faq", element.get("class", ""), re.I)
    ):
        return element.getnext() is not None
    around = parent.tag in ("p", "li", "td", "span") and (parent.text or "").strip()
    return bool(around and (element.tail or "").strip())


def _drop(element: "HtmlElement") -> None:
    if element.getparent() is not None:
        element.drop_tree()
