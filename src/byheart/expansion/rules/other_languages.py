"""What the rules say of documents that are not English, when they meet them and before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from byheart.documents.languages.language import SAMPLE, document_language, is_english, language_name, language_names
from byheart.documents.languages.mixed import languages_of
from byheart.records import Document

NAMED = 3  # documents, each by its name; more are counted
LIMIT = "rules read English only, so they write recitations, completions and blanks but no questions"
HELP = "a teacher reads other languages: expansion=angles teacher=openai"
TEXTS = (".txt", ".md", ".markdown", ".rst")  # what can be read at once, without a parser


def note_languages(documents: Sequence[Document]) -> tuple[str, ...]:
    """One note for each document of another language; one for all where they are many."""
    found = []
    for document in documents:
        own, *others = languages_of(document)
        found += [(Path(document.path).name, own, others)]
    return _notes(found)


def find_other_languages(files: Iterable[Path]) -> tuple[str, ...]:
    """The same notes before any work, from the first 20,000 characters of the text files among `files`."""
    found = []
    for file in (file for file in files if file.suffix.lower() in TEXTS):
        with file.open(encoding="utf-8", errors="replace") as opened:
            found.append((file.name, document_language(opened.read(SAMPLE)), list[str]()))
    return _notes(found)


def _notes(found: Sequence[tuple[str, str, Sequence[str]]]) -> tuple[str, ...]:
    """`found`: name, language, and the languages of other parts of each document."""
    foreign = [(name, language) for name, language, _ in found if not is_english(language)]
    said = [f"{name} is {language_name(language)}" for name, language in foreign]
    if len(foreign) > NAMED:
        counts = Counter(language_name(language) for _, language in foreign).most_common()
        listed = ", ".join(f"{count} {name}" for name, count in counts)
        said = [f"{len(foreign)} documents are not English ({listed})"]
    mixed = [(name, others) for name, language, others in found if is_english(language) and others]
    said += [f"{name} is in part {language_names(others)}" for name, others in mixed[:NAMED]]
    if len(mixed) > NAMED:
        said.append(f"{len(mixed) - NAMED} more documents are in part not English")
    return tuple(f"{what}: {LIMIT}; {HELP}" for what in said)
