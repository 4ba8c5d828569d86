"""Settings at the head of a text: YAML, TOML, JSON, and the title block of Pandoc."""

import json
import re

YAML = re.compile(r"---[ \t]*\n((?:(?:[A-Za-z_][\w -]*:.*|[ \t]+.*|- .*|#.*|)\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|$)")
_TOML = re.compile(r"\+\+\+[ \t]*\n((?:(?!\+\+\+).*\n)*?)\+\+\+[ \t]*(?:\n|$)")
_PANDOC = re.compile(r"%[ \t]+(\S.*)\n(?:(?:%|[ \t]+\S).*\n)*")
_KEY = re.compile(r"^title[ \t]*[:=][ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.M)


def read_front_matter(text: str, markdown: bool) -> tuple[str, str, bool]:
    """The text behind its settings, the title that they give ("" if none), and whether there were any."""
    if matter := YAML.match(text) or (_TOML.match(text) if markdown else None):
        title = _KEY.search(matter[1])
        return text[matter.end() :], title[1] if title else "", True
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
