import subprocess
import sys
import time
from pathlib import Path

import pytest

from byheart.documents.load import find_documents, load_documents
from byheart.errors import UserError


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)


def test_a_folder_gives_its_readable_files_sorted_and_no_hidden_ones(tmp_path):
    for name in ("b.md", "a.txt", "sub/c.html", ".hidden.txt", ".git/d.txt", "image.png", "empty.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("" if name == "empty.txt" else "Words.")
    found = find_documents([str(tmp_path)])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.txt", "b.md", "sub/c.html"]
    assert find_documents([f"{tmp_path}/**/*"]) == found
    assert find_documents(["a.txt", "*.txt", "."], base=tmp_path)[0] == tmp_path / "a.txt"
    assert len(find_documents(["a.txt", "*.txt", "."], base=tmp_path)) == 3, "each file once"


@pytest.mark.parametrize(
    "name", ["with space.txt", "[draft].txt", "a=b.txt", "a,b.txt", "what?.txt", "star*.md", "ü (1).TXT"]
)
def test_a_name_that_exists_is_never_read_as_a_glob(tmp_path, name):
    (tmp_path / name).write_text("The pump needs oil.")
    (tmp_path / "d.txt").write_text("Another text altogether.")
    assert find_documents([str(tmp_path / name)]) == [tmp_path / name]
    assert find_documents([name], base=tmp_path) == [tmp_path / name]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, a="Words.")
    assert find_documents(["~/a.txt"]) == find_documents(["~/*.txt"], base=tmp_path) == [tmp_path / "a.txt"]


def test_all_that_is_wrong_is_said_at_once_without_opening_a_file(tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "talk.key").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "handbook.md").write_text("x")
    with pytest.raises(UserError) as caught:
        find_documents(["handbok.md", "empty.txt", "talk.key", "folder", "*.rst", ""], base=tmp_path)
    said = [str(problem) for problem in caught.value.problems]
    expected = [
        "did you mean handbook.md?",
        "empty",
        "cannot read .key",
        "no readable file in",
        "matches",
        "no document",
    ]
    assert len(said) == len(expected)
    assert all(words in line for words, line in zip(expected, said, strict=True))


def test_titles(tmp_path):
    texts = {
        "atx.md": ("# The *Pump*\n\nOil.", "The Pump"),
        "setext.md": ("The Pump\n========\n\nOil.", "The Pump"),
        "front.md": ("---\ntitle: 'The Pump'\ntags: [a]\n---\n\nOil is needed.", "The Pump"),
        "first.txt": ("The Pump Handbook\n\nThe pump needs oil.", "The Pump Handbook"),
        "wrapped.txt": ("The pump needs oil every week since\notherwise it stops.", "Wrapped"),
        "pump_hand-book.txt": ("The pump needs oil.", "Pump hand book"),
        "later.md": ("The pump needs water.\n\n## Oil\n\nMuch.", "Later"),
    }
    for name, (text, _) in texts.items():
        (tmp_path / name).write_text(text)
    loaded = load_documents(list(texts), tmp_path)
    assert [document.title for document in loaded.documents] == [title for _, title in texts.values()]
    assert "tags" not in loaded.documents[2].text


def test_ids_are_readable_unique_and_stable(tmp_path):
    for folder, text in (("a", "One text."), ("b", "Another text.")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Hand Book [2].txt").write_text(text)
    first, second = (document.id for document in load_documents([str(tmp_path)]).documents)
    assert first != second
    assert first.startswith("hand-book-2-")
    assert [document.id for document in load_documents([str(tmp_path)]).documents] == [first, second]


def test_of_equal_documents_the_first_is_kept_and_the_user_told(tmp_path):
    write(tmp_path, a="The pump\nneeds oil.", b="The  pump needs oil.\n\n", c="It does not.")
    loaded = load_documents([str(tmp_path)])
    assert [Path(document.path).name for document in loaded.documents] == ["a.txt", "c.txt"]
    assert len(loaded.warnings) == 1 and "b.txt" in loaded.warnings[0] and "a.txt" in loaded.warnings[0]


def test_one_word_one_giant_line_and_five_megabytes_load(tmp_path):
    write(tmp_path, word="Hello", line="word " * 100_000, large="The pump needs oil.\n\n" * 250_000)
    start = time.process_time()
    loaded = load_documents(["word.txt", "line.txt", "large.txt"], tmp_path)
    assert time.process_time() - start < 5
    assert loaded.documents[0].text == "Hello" and "1 word" in loaded.warnings[0]
    assert len(loaded.documents[2].text) == 21 * 250_000


def test_what_a_folder_holds_beside_documents_is_told_not_passed_over_in_silence(tmp_path):
    write(tmp_path, a="The pump needs oil.", empty="")
    for name in ("talk.key", "paper.key", "image.png", ".hidden.key"):
        (tmp_path / name).write_text("x")
    (warning,) = load_documents([str(tmp_path)]).warnings
    assert all(words in warning for words in ("4 files left out", "2 .key", "1 empty", "1 .png"))
    assert load_documents(["*.txt"], tmp_path).warnings == ("*.txt: 1 file left out, not read (1 empty)",)
    assert not load_documents(["a.txt"], tmp_path).warnings


def test_a_name_is_only_suggested_where_it_is_alike(tmp_path):
    write(tmp_path, giantnospace="x", handbook="x")
    for name, advice in (("nope.txt", "give the path"), ("handbok.txt", "did you mean handbook.txt?")):
        with pytest.raises(UserError, match=advice):
            find_documents([name], tmp_path)


def test_broken_files_are_named_together(tmp_path):
    (tmp_path / "blank.txt").write_text(" \n\n ")
    (tmp_path / "program.txt").write_bytes(b"\x7fELF\x02\x01\0\0" + bytes(range(256)))
    (tmp_path / "paper.txt").write_bytes(b"%PDF-1.4 ...")
    with pytest.raises(UserError) as caught:
        load_documents([str(tmp_path)])
    assert len(caught.value.problems) == 3


def test_looking_for_files_loads_no_library():
    code = (
        "import sys; from byheart.documents.load import find_documents; "
        "heavy = {'pypdf', 'pypdfium2_raw', 'lxml', 'charset_normalizer', 'tokenizers', 'nupunkt', 'torch'}; "
        "print(*heavy & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
