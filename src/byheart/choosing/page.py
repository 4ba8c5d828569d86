"""report.html of a comparison of bases: one page that loads nothing from a network."""

from importlib.resources import files
from pathlib import Path

from byheart.choosing import words
from byheart.choosing.records import BasesResult
from byheart.report import tables
from byheart.report.page import duration
from byheart.store import write_text


def write_page(result: BasesResult) -> None:
    write_text(result.report, render(result))


def render(result: BasesResult) -> str:
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=tables.finalize)
    environment.filters |= {"duration": duration, "percent": tables.percent}
    own = Path(__file__)
    style = files("byheart.report").joinpath("page.css").read_text("utf-8") + own.with_name("page.css").read_text(
        "utf-8"
    )
    return environment.from_string(own.with_name("page.html.j2").read_text("utf-8")).render(
        result=result,
        facts=result.facts,
        words=words,
        used=[base for base in result.bases if not base.reason],
        lost=[base for base in result.bases if base.reason],
        style=Markup(style),
    )
