import pytest
from hypothesis import given
from hypothesis import strategies as st

from byheart.documents.text import decode, read_text
from byheart.errors import UserError

WRITTEN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text[0] != "\ufeff")


@given(WRITTEN, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_unicode_comes_through_unchanged_and_unremarked(text, encoding):
    data = text.encode(encoding)
    if not data.startswith((b"%PDF", b"PK\x03")):
        assert decode(data, "a.txt") == (text, [])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Der Präsident wohnt in Köln.", "cp1252"),
        ("Café", "latin-1"),
        ("“Smart” – quotes…", "cp1252"),
        ("Le théâtre français a été créé à l'été.", "cp1252"),
        ("Это русский текст о погоде в Москве и о реках страны.", "cp1251"),
        ("Это русский текст о погоде в Москве и о реках страны.", "koi8-r"),
        ("Polska jest krajem w Europie Środkowej, której stolicą jest Warszawa.", "iso8859-2"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy v Praze.", "cp1250"),
        ("日本語の文章です。これは試験です。今日は天気がいい。", "shift_jis"),
        ("Plain words without a mark.", "utf-16-le"),
    ],
)
def test_other_encodings_are_detected(text, encoding):
    assert decode(text.encode(encoding), "a.txt")[0] == text


def test_a_guess_is_told():
    assert "cp1252" in decode("Köln".encode("cp1252"), "a.txt")[1][0]
    german = "Die Größe des Feldes beträgt 100 Meter. Übungen sind am Samstag um 9 Uhr."
    assert "cp1252" in decode(german.encode("latin-1"), "a.txt")[1][0]  # not its lesser known neighbour cp1250


def test_stray_bytes_in_a_good_text_are_not_guessed_at():
    """English round them makes any code page look likely."""
    for stray in (b"\xff\xfe\x81", b"\x81", b"\x8d\x9d"):
        with pytest.raises(UserError, match="not UTF-8"):
            decode(b"The club was founded in 1921 in Ghent. " * 20 + stray + b" broken\n", "a.txt")


def test_what_cannot_be_decoded_is_refused_and_the_byte_named():
    with pytest.raises(UserError, match=r"byte 13 \(line 2\) is 0x81"):
        decode(b"First line.\n \x81\x8d\xfe hello", "a.txt")
    with pytest.raises(UserError, match="utf-8"):
        decode("The text of ".encode("utf-8-sig") + b"\xff", "a.txt")


@pytest.mark.parametrize(
    "data", [b"ab\0cd", b"\x89PNG\r\n\x1a\n1234", b"PK\x03\x04zip", b"\x01\x02\x03 text", b"a\x00\x01\x02"]
)
def test_binary_files_are_refused(data):
    with pytest.raises(UserError, match=r"not text"):
        decode(data, "a.txt")


def test_line_breaks_become_newlines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("One.\r\nTwo.\rThree.\u2028Four.\x0cFive.".encode())
    assert read_text(path)[0] == "One.\nTwo.\nThree.\nFour.\nFive."
