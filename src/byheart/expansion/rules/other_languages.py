"""What the rules say of documents that are not English, when they meet them and before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from byheart.documents.language import SAMPLE, document_language, is_english, language_name
from byheart.records import Document

NAMED = 3  # documents, each by its name; more are counted
LIMIT = "rules read English only, so they write recitations, completions and blanks but no questions"
HELP = "a teacher reads other languages: expansion=angles teacher=openai"
TEXTS = (".txt", ".md", ".markdown", ".rst")  # what can be read at once, without a parser


def note_languages(documents: Sequence[Document]) -> tuple[str, ...]:
    """One note for each document of another language; one for all where they are many."""
    found = [(Path(document.path).name, document_language(document.text)) for document in documents]
    return _notes([(name, language) for name, language in found if not is_english(language)])


def find_other_languages(files: Iterable[Path]) -> tuple[str, ...]:
    """The same notes before any work, from the first 20,000 characters of the text files among `files`."""
    found = []
    for file in (file for file in files if file.suffix.lower() in TEXTS):
        with file.open(encoding="utf-8", errors="replace") as opened:
            if not is_english(language := document_language(opened.read(SAMPLE))):
                found.append((file.name, language))
    return _notes(found)


def _notes(found: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    said = [f"{name} is {language_name(language)}" for name, language in found]
    if len(found) > NAMED:
        counts = Counter(language_name(language) for _, language in found).most_common()
        listed = ", ".join(f"{count} {name}" for name, count in counts)
        said = [f"{len(found)} documents are not English ({listed})"]
    return tuple(f"{what}: {LIMIT}; {HELP}" for what in said)
