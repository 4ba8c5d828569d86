"""Text and numbers that come from outside, from a server or an exception, made fit to be kept and shown.

A server knows the key that it was sent, and some repeat it in their answers. `without_key` finds it in every spelling
that a later step could decode, so no file, page, log or terminal needs a check of its own.
"""

import math
import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Collection, Iterator
from functools import lru_cache

STARS = "****"
SHORTEST_KEY = 8  # shorter ones ("none", "EMPTY") are words that servers without keys are given
SHORTEST_RUN = 12  # characters of a key that count as a part of it
SHORTEST_BASE64 = 14  # what 12 bytes leave whole in base64, wherever in a group of three they begin
MOST = 10**9  # no count of tokens reaches it

# How a character can be spelled in JSON (at any depth), a URL, HTML or YAML. Each alternative consumes what it begins
# with, so that the search is linear.
_SPELLED = re.compile(
    r"\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))?|%(?:25)*([0-9A-Fa-f]{2})|&#(?:x([0-9A-Fa-f]{2,4})|([0-9]{2,4}));"
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff]+")  # a later step may drop them
_SURROGATE = re.compile("[\ud800-\udfff]")

_sent: set[str] = set()  # the keys that this process has sent


def keep_secret(key: str) -> None:
    """From now on `without_key` leaves this key out."""
    if len(key) >= SHORTEST_KEY:
        _sent.add(key)


def outside_text(text: str) -> str:
    """The text without the keys that were sent, and without lone surrogates, which no file can hold."""
    return without_key(_SURROGATE.sub("?", text) if not text.isascii() else text, _sent)


def outside_count(value: object) -> int:
    """A count from outside: 0 where it is none, or no number that can be."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return 0
    return int(min(value, MOST))


def without_key(text: str, keys: Collection[str]) -> str:
    """The text with stars for each key, and for each 12 characters or more of one.

    Found are the characters themselves, their escapes in JSON, URLs and HTML, and base64. Keys below 8 characters stay.
    """
    for key in keys:
        if len(key) >= SHORTEST_KEY:
            text = _without(text, key)
    return text


def _without(text: str, key: str) -> str:
    bare = _bare(text)
    spans = [span for form, least in _forms(key) for span in _runs(bare, form, least)]
    if not spans:
        return text
    starts, ends = _places(text)
    pieces, place = [], 0
    for start, end in sorted(spans):
        if ends[end - 1] <= place:
            continue
        pieces += [text[place : starts[start]], STARS]
        place = ends[end - 1]
    return "".join((*pieces, text[place:]))


def _bare(text: str) -> str:
    """Each character as itself, without blanks and controls."""
    dense = "".join(text.split())
    return _SPELLED.sub(_letter, dense if dense.isprintable() else _BLANK.sub("", dense))


def _letter(found: re.Match[str]) -> str:
    spelled = found[1] or found[2] or found[3] or found[4]
    letter = chr(int(spelled, 16)) if spelled else chr(int(found[5])) if found[5] else ""
    return "" if _BLANK.match(letter) else letter


def _places(text: str) -> tuple[list[int], list[int]]:
    """Where each character of the bare text begins and ends in `text`."""
    dense: list[int] = []  # places of the characters that are no blanks
    place = 0
    for blank in _BLANK.finditer(text):
        dense += range(place, blank.start())
        place = blank.end()
    dense += range(place, len(text))
    firsts: list[int] = []
    lasts: list[int] = []
    place = 0
    for found in _SPELLED.finditer(_BLANK.sub("", text)):
        firsts += dense[place : found.start()]
        lasts += dense[place : found.start()]
        if _letter(found):
            firsts.append(dense[found.start()])
            lasts.append(dense[found.end() - 1])
        place = found.end()
    return firsts + dense[place:], [last + 1 for last in lasts + dense[place:]]


@lru_cache(maxsize=64)
def _forms(key: str) -> tuple[tuple[str, int], ...]:
    """The key and its base64 in both alphabets, from each place in a group of three; the shortest run that counts."""
    bare = _bare(key)
    forms = [(bare, min(SHORTEST_RUN, len(bare)))]
    data = key.encode()
    for shift in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * shift + data).decode().rstrip("=")
            # the characters at both ends also carry bits of what stands beside the key
            form = whole[-(-8 * shift // 6) : (shift + len(data)) * 8 // 6]
            forms.append((form, min(SHORTEST_BASE64, len(form))))
    return tuple(dict.fromkeys(forms))


def _runs(text: str, form: str, least: int) -> Iterator[tuple[int, int]]:
    """Where `least` characters or more of the form stand in the text.

    Such a run holds a whole block of half its length: only blocks are searched for, and then extended.
    """
    size = (least + 1) // 2
    seen: list[tuple[int, int]] = []
    for at in range(0, len(form) - size + 1, size):
        block, place = form[at : at + size], -1
        while (place := text.find(block, place + 1)) >= 0:
            number = bisect_right(seen, (place, len(text))) - 1
            if number >= 0 and place + size <= seen[number][1]:
                place = seen[number][1] - size  # within a run that was found already
                continue
            left, right = 0, size
            while left < at and left < place and text[place - left - 1] == form[at - left - 1]:
                left += 1
            while at + right < len(form) and place + right < len(text) and text[place + right] == form[at + right]:
                right += 1
            if left + right >= least:
                seen.insert(bisect_right(seen, (place - left, place + right)), (place - left, place + right))
    return iter(seen)
