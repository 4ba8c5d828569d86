"""Settings at the head of a text: YAML, TOML, JSON, and the title block of Pandoc."""

import json
import re

YAML = re.compile(r"---[ \t]*\n((?:(?:[A-Za-z_][\w -]*:.*|[ \t].*|- .*|#.*|)\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|$)")
_TOML = re.compile(r"\+\+\+[ \t]*\n((?:(?!\+\+\+).*\n)*?)\+\+\+[ \t]*(?:\n|$)")
_PANDOC = re.compile(r"%[ \t]+(\S.*)\n(?:(?:%|[ \t]+\S).*\n)*")
_KEY = re.compile(r"^title[ \t]*[:=](.*)$", re.M)


def read_front_matter(text: str, markdown: bool) -> tuple[str, str, bool]:
    """The text behind its settings, the title that they give ("" if none), and whether there were any."""
    if matter := YAML.match(text) or (_TOML.match(text) if markdown else None):
        return text[matter.end() :], title_among(matter[1]), True
    if markdown and (matter := _PANDOC.match(text)):
        return text[matter.end() :], matter[1].strip(), True
    if markdown and text.startswith("{") and '"' in text[:200]:
        try:
            settings, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return text, "", False
        if isinstance(settings, dict) and settings.keys() & {"title", "date", "layout", "draft", "tags", "description"}:
            return text[end:].lstrip("\n"), str(settings.get("title", "")), True
    return text, "", False


def title_among(settings: str) -> str:
    """The value of the key "title" without its quotation marks; "" where there is none."""
    found = _KEY.search(settings)
    value = found[1].strip(" \t") if found else ""
    value = value[1:] if value[:1] in ('"', "'") else value
    return value[:-1] if value[-1:] in ('"', "'") else value
