"""Numbers as a spreadsheet shows them: with their decimals, separators, percent signs, currencies and units."""

import re

# A currency, a colour or condition, words, one letter, a blank as wide as a letter.
ASIDE = re.compile(r'\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|"([^"]*)"|\\(.)|[_*].')
DIGITS = re.compile(r"[#0?](?:[#0?,.]*[#0?])?")
UNKNOWN = re.compile(r"[eE][+-]|[ymdhs/@]|general", re.I)


def shown_number(value: int | float, pattern: str) -> str:
    """ "25%" for 0.25 in the format "0%", "1,500.00 €" in "#,##0.00 [$€-407]". In a format that is not known, the number."""
    sections = pattern.split(";")
    negative = value < 0 and len(sections) > 1
    aside: list[str] = []

    def set_aside(found: re.Match[str]) -> str:
        aside.append("".join(filter(None, found.groups())))
        return "\0"

    bare = ASIDE.sub(set_aside, sections[1] if negative else sections[0])
    shapes = list(DIGITS.finditer(bare))
    if len(shapes) != 1 or UNKNOWN.search(bare):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    before, shape, after = bare[: shapes[0].start()], shapes[0][0], bare[shapes[0].end() :]
    whole, _, part = shape.partition(".")
    thousands = len(after) - len(after.lstrip(","))  # each scales by a thousand
    number = (abs(value) if negative else value) * (100 if "%" in before + after else 1) / 1000**thousands
    places = sum(part.count(sign) for sign in "#0?")
    width = 0 if "," in whole else whole.count("0") + (places + 1 if places else 0) + (number < 0)
    text = f"{number:0{width}.{places}f}" if width else f"{number:{',' * (',' in whole)}.{places}f}"
    for _ in range(places - part.count("0")):  # "#" shows no zero at the end
        text = text.removesuffix("0")
    told = iter(aside)
    shown = re.sub("\0", lambda _: next(told), before + "\1" + after.lstrip(","))
    return " ".join(shown.replace("\1", text.removesuffix(".")).split())
