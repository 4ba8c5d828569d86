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

from byheart.documents.languages.folding import fold_typesetting
from byheart.documents.languages.language import UNSPACED, count_words
from byheart.documents.office import formats as office
from byheart.documents.speech.read import read_speech
from byheart.documents.structure.contents import leave_out_contents
from byheart.documents.structure.outline import empty_headings
from byheart.errors import Problem, UserError
from byheart.records import Document, LeftOut, counted

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd")
PLAIN = (".txt", ".text", ".srt", ".vtt")
HTML = (".html", ".htm", ".xhtml")
TABLES = (".csv", ".tsv")
SUFFIXES = (*PLAIN, *MARKDOWN, ".pdf", *HTML, *TABLES, *office.SUFFIXES)
EXAMPLE = "e.g. documents=handbook.pdf"
NAMED = 3  # headings without text, each by its title; more are counted
READABLE = ".txt, .md, .pdf, .html, .epub, .csv, .srt, .vtt and, with the extra [office], .docx, .pptx and .xlsx"
RECORDS = (".json", ".jsonl", ".ndjson")
RECORDS_FIX = "write its rows as .csv or its text as .md; question-answer pairs are read by expansion=file expansion.file.path=FILE"

Reader = Callable[[Path], tuple[str, str, Sequence[str | LeftOut]]]


@dataclass(frozen=True)
class Loaded:
    """Documents in the order in which they were named, and warnings for the user, among them the documents' doubts."""

    documents: tuple[Document, ...]
    warnings: tuple[str, ...] = ()


def find_documents(patterns: Sequence[str], base: Path | None = None, follow_links: bool = False) -> list[Path]:
    """The files that the patterns name, each once, without opening one. Relative names start at `base`.

    A pattern is a file, a folder (all readable files in it, sorted, hidden ones skipped), or a glob. What exists under
    exactly that name is meant, whatever characters it has. A link in a folder that leads out of it is left out, unless
    `follow_links`: a folder of somebody else's must not have other files read, and sent to a teacher.
    """
    return survey(patterns, base, follow_links)[0]


def survey(
    patterns: Sequence[str], base: Path | None = None, follow_links: bool = False
) -> tuple[list[Path], list[str]]:
    """The files, and a warning for each folder and glob that holds files of other kinds or links that lead out of it. Walks
    each folder once. Raises UserError with all that is wrong."""
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
            outside = [] if follow_links else links_outside(files, pattern, base)
            files = [file for file in files if file not in outside]
            warnings += _told(outside, pattern)
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


def links_outside(files: Sequence[Path], pattern: str, base: Path | None) -> list[Path]:
    """The files that lie elsewhere than their path says: a link, or a folder that is one, leads out of what was named."""
    start = located(pattern, base)
    while glob.has_magic(str(start)) and not start.exists():
        start = start.parent
    home = start.resolve()
    return [file for file in files if not file.resolve().is_relative_to(home)]


def _told(outside: Sequence[Path], pattern: str) -> list[str]:
    if not outside:
        return []
    first = f"{outside[0]} -> {outside[0].resolve()}"
    links = "1 link that leads" if len(outside) == 1 else f"{len(outside)} links that lead"
    return [f"{pattern}: left out {links} out of the folder ({first}); follow_links=true reads such files"]


def visible_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file():
            yield path


def is_readable(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES and not office.is_missing(path.suffix)
    return known and path.is_file() and path.stat().st_size > 0 and not path.name.startswith("~$")  # Word's lock file


def passed_over(pattern: str, others: Sequence[Path]) -> list[str]:
    """A warning about files of other kinds, if there are any."""
    missing = [file for file in others if office.is_missing(file.suffix)]
    kinds = Counter(
        "empty" if file.suffix.lower() in SUFFIXES and file not in missing else file.suffix or "no suffix"
        for file in others
    )
    if not kinds:
        return []
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4)) + ", ..." * (len(kinds) > 4)
    helps = (
        f". To have {', '.join(sorted({file.suffix for file in missing}))} read: {office.INSTALL}" if missing else ""
    )
    return [f"{pattern}: {len(others)} file{'s' * (len(others) > 1)} left out, not read ({listed}){helps}"]


def check_file(path: Path, pattern: str) -> list[Problem]:
    """What is wrong with a file that was named, if anything."""
    what = fix = ""
    if (advice := office.advice(path.suffix))[0]:
        what, fix = advice
    elif path.suffix.lower() not in SUFFIXES:
        what = f"cannot read {path.suffix or 'files without suffix'}"
        fix = f"byheart reads {READABLE}; convert it to one of them"
        fix = RECORDS_FIX if path.suffix.lower() in RECORDS else fix
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


def load_documents(patterns: Sequence[str], base: Path | None = None, follow_links: bool = False) -> Loaded:
    """The documents that the patterns name. Of several with the same words the first is kept."""
    from byheart.documents.text import refuse_endless

    documents: list[Document] = []
    files, warnings = survey(patterns, base, follow_links)
    problems: list[Problem] = []
    first_with: dict[bytes, str] = {}
    for path in files:
        try:
            text, title, remarks = reader_of(path)(path)
            refuse_endless(text, str(path))
        except UserError as error:
            problems += error.problems
            continue
        text, title, more = read_structure(fold_typesetting(text), fold_typesetting(title))
        gone = tuple(remark for remark in (*remarks, *more) if isinstance(remark, LeftOut) and remark.count)
        said = [remark for remark in remarks if isinstance(remark, str)]
        said += [f"{path}: {remark}" for remark in more if isinstance(remark, str)]
        warnings += said
        words = text.split()
        if not words:
            problems.append(Problem("the file is empty: it holds blanks only", str(path)))
            continue
        same = hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if same in first_with:
            warnings.append(f"{path}: the same text as {first_with[same]}; left out")
            continue
        first_with[same] = str(path)
        length = count_words(text) if UNSPACED.search(text) else len(words)
        if length < 3:
            count = counted(length, "word")
            warnings.append(f"{path}: only {count}; hardly anything to learn")
        name = f"{slug(path.stem)}-{same.hex()[:6]}"
        stem = " ".join(re.sub(r"[_-]+", " ", path.stem).split()) or path.stem
        doubts = tuple(remark.removeprefix(f"{path}: ") for remark in said)
        documents.append(Document(name, title or stem[:1].upper() + stem[1:], text, str(path), gone, doubts))
    if problems:
        raise UserError(*problems)
    return Loaded(tuple(documents), tuple(warnings))


def read_structure(text: str, title: str) -> tuple[str, str, Sequence[str | LeftOut]]:
    """The text and title of any format, with speakers before their words and without tables of contents; and remarks."""
    if not text.strip():
        return text, title, []
    from byheart.documents.structure.formulas import join_formulas
    from byheart.documents.structure.references import leave_out_references

    text, title, remarks = read_speech(join_formulas(text), title)
    text, references = leave_out_references(text)
    rest, left_out = leave_out_contents(text)
    remarks += [*references, *left_out]
    if left_out and title not in rest:  # "Contents" is no title
        title = ""
    if empty := empty_headings(rest, title):
        named = ", ".join(f"“{heading}”" for heading in empty[:NAMED]) + ", ..." * (len(empty) > NAMED)
        remarks.append(f"{counted(len(empty), 'heading')} with no text below, so nothing asks about {named}")
    return rest, title, remarks


def reader_of(path: Path) -> Reader:
    """The reader for the file's suffix, imported only when it is needed. It gives the text, the title ("" if there is
    none), and its remarks: warnings, and a LeftOut for each kind of what it took out."""
    read: Reader
    if path.suffix.lower() == ".pdf":
        from byheart.documents.pdf.read import read_pdf as read
    elif path.suffix.lower() in HTML:
        from byheart.documents.html.read import read_html as read
    elif path.suffix.lower() in office.SUFFIXES:
        from byheart.documents.office.read import read_office as read
    elif path.suffix.lower() in TABLES:
        from byheart.documents.tables.separated import read_separated as read
    else:
        from byheart.documents.text import read_text as read
    return read


def slug(stem: str) -> str:
    """ "Hand Book [2]" as "hand-book-2": short, and safe in file names and on command lines."""
    words = re.sub(r"[^\w]+|_+", "-", stem.lower()).strip("-")
    return words[:40].strip("-") or "document"
