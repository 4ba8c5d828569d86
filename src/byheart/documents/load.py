"""Documents from files, folders and globs. All problems are reported together."""

import difflib
import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from byheart.documents.folding import fold_typesetting
from byheart.documents.language import UNSPACED, count_words
from byheart.errors import Problem, UserError
from byheart.records import Document

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd")
PLAIN = (".txt", ".text")
HTML = (".html", ".htm", ".xhtml")
SUFFIXES = (*PLAIN, *MARKDOWN, ".pdf", *HTML)
EXAMPLE = "e.g. documents=handbook.pdf"
READABLE = ".txt, .md, .pdf and .html"


@dataclass(frozen=True)
class Loaded:
    """Documents in the order in which they were named, and warnings for the user."""

    documents: tuple[Document, ...]
    warnings: tuple[str, ...] = ()


def find_documents(patterns: Sequence[str], base: Path | None = None) -> list[Path]:
    """The files that the patterns name, each once, without opening one. Relative names start at `base`.

    A pattern is a file, a folder (all readable files in it, sorted, hidden ones skipped), or a glob. What exists under
    exactly that name is meant, whatever characters it has.
    """
    return survey(patterns, base)[0]


def survey(patterns: Sequence[str], base: Path | None = None) -> tuple[list[Path], list[str]]:
    """The files, and a warning for each folder and glob that holds files of other kinds. Walks each folder once. Raises
    UserError with all that is wrong."""
    found: dict[Path, Path] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    if not patterns:
        problems.append(Problem("no document is named", "documents", fix=EXAMPLE))
    for pattern in map(str, patterns):
        path = located(pattern, base)
        if not pattern.strip():
            problems.append(Problem("no document is named", "documents", repr(pattern), EXAMPLE))
        elif path.exists() and not path.is_dir():
            problems += check_file(path, pattern)
            found.setdefault(path.resolve(), path)
        elif path.is_dir() or glob.has_magic(pattern):
            files = files_among(pattern, base)
            readable = [file for file in files if is_readable(file)]
            for file in readable:
                found.setdefault(file.resolve(), file)
            if not readable:
                what = "no readable file in the folder" if path.is_dir() else "no readable file matches"
                problems.append(Problem(what, "documents", pattern, f"byheart reads {READABLE} that are not empty"))
            warnings += passed_over(pattern, [file for file in files if not is_readable(file)])
        else:
            problems.append(Problem("no such file or folder", "documents", pattern, suggest(path)))
    if problems:
        raise UserError(*problems)
    return list(found.values()), warnings


def located(pattern: str, base: Path | None) -> Path:
    path = Path(pattern).expanduser()
    return path if base is None else base / path  # an absolute path stays what it is


def files_among(pattern: str, base: Path | None) -> list[Path]:
    """All files in a folder, hidden ones apart, or all that a glob matches, in the folders that it matches too."""
    if (path := located(pattern, base)).is_dir():
        return list(visible_files(path))
    # pathlib's glob takes no absolute pattern; joining keeps one that is absolute, "~" expanded.
    whole = str(located(pattern, base and Path(glob.escape(str(base)))))
    matches = [Path(name) for name in sorted(glob.glob(whole, recursive=True))]  # noqa: PTH207
    return [file for match in matches for file in (visible_files(match) if match.is_dir() else [match])]


def visible_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file():
            yield path


def is_readable(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and path.stat().st_size > 0


def passed_over(pattern: str, others: Sequence[Path]) -> list[str]:
    """A warning about files of other kinds, if there are any."""
    kinds = Counter("empty" if file.suffix.lower() in SUFFIXES else file.suffix or "no suffix" for file in others)
    if not kinds:
        return []
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4)) + ", ..." * (len(kinds) > 4)
    return [f"{pattern}: {len(others)} file{'s' * (len(others) > 1)} left out, not read ({listed})"]


def check_file(path: Path, pattern: str) -> list[Problem]:
    """What is wrong with a file that was named, if anything."""
    what = fix = ""
    if path.suffix.lower() not in SUFFIXES:
        what = f"cannot read {path.suffix or 'files without suffix'}"
        fix = f"byheart reads {READABLE}; convert it to one of them"
    elif not path.is_file():
        what = "it is no ordinary file"
    elif path.stat().st_size == 0:
        what, fix = "the file is empty", "name a file that has text in it"
    elif not os.access(path, os.R_OK):
        what, fix = "the file may not be read", f"chmod u+r '{path}'"
    return [Problem(what, "documents", pattern, fix)] if what else []


def suggest(path: Path) -> str:
    if path.parts[:1] in (("http:",), ("https:",)):
        return "documents are files on this machine: save the page or the PDF first, then name that file"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    # "nope.txt" is no slip of "spaces.txt": what all names share, their ending, makes no name alike
    names = {sibling.name: sibling.stem for sibling in path.parent.iterdir()}
    close = difflib.get_close_matches(path.stem, names.values(), n=1)
    close = sorted((n for n, stem in names.items() if [stem] == close), key=lambda n: not n.endswith(path.suffix))
    return f"did you mean {close[0]}?" if close else "give the path as seen from the folder you are in"


def load_documents(patterns: Sequence[str], base: Path | None = None) -> Loaded:
    """The documents that the patterns name. Of several with the same words the first is kept."""
    from byheart.documents.formulas import join_formulas
    from byheart.documents.references import leave_out_references

    documents: list[Document] = []
    files, warnings = survey(patterns, base)
    problems: list[Problem] = []
    first_with: dict[bytes, str] = {}
    for path in files:
        try:
            text, title, remarks = reader_of(path)(path)
        except UserError as error:
            problems += error.problems
            continue
        text, title = fold_typesetting(text), fold_typesetting(title)
        text, left_out = leave_out_references(join_formulas(text))
        warnings += [*remarks, *(f"{path}: {remark}" for remark in left_out)]
        words = text.split()
        if not words:
            problems.append(Problem("the file is empty: it holds blanks only", str(path)))
            continue
        same = hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if same in first_with:
            warnings.append(f"{path}: the same text as {first_with[same]}; left out")
            continue
        first_with[same] = str(path)
        counted = count_words(text) if UNSPACED.search(text) else len(words)
        if counted < 3:
            count = f"{counted} {'word' if counted == 1 else 'words'}"
            warnings.append(f"{path}: only {count}; hardly anything to learn")
        name = f"{slug(path.stem)}-{same.hex()[:6]}"
        stem = " ".join(re.sub(r"[_-]+", " ", path.stem).split()) or path.stem
        documents.append(Document(name, title or stem[:1].upper() + stem[1:], text, str(path)))
    if problems:
        raise UserError(*problems)
    return Loaded(tuple(documents), tuple(warnings))


def reader_of(path: Path) -> Callable[[Path], tuple[str, str, list[str]]]:
    """The reader for the file's suffix, imported only when it is needed."""
    if path.suffix.lower() == ".pdf":
        from byheart.documents.pdf.read import read_pdf as read
    elif path.suffix.lower() in HTML:
        from byheart.documents.html import read_html as read
    else:
        from byheart.documents.text import read_text as read
    return read


def slug(stem: str) -> str:
    """ "Hand Book [2]" as "hand-book-2": short, and safe in file names and on command lines."""
    words = re.sub(r"[^\w]+|_+", "-", stem.lower()).strip("-")
    return words[:40].strip("-") or "document"
