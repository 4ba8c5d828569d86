"""Code, captions and footnotes are asked about in words of their own, and no family of prose tears them."""

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.rules.rules import Rules

TEXT = """# Tern

## Install

Put this into the file:

```toml
[server]
port = 8080
  host = "all"
```

It is read once.[^a]

Table 2. Ports of the server.

[^a]: On Windows it is kept in the registry.

    It may be deleted.
"""


def test_code_captions_and_notes_are_asked_about_as_what_they_are(tmp_path):
    (tmp_path / "a.md").write_text(TEXT)
    document = load_documents([str(tmp_path / "a.md")]).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    pairs: dict[str, dict[str, str]] = {}
    kinds = {fact.id: fact.kind for fact in facts}
    for example in Rules().expand(Source((document,), tuple(chunks), tuple(facts))).examples:
        pairs.setdefault(kinds[example.facts[0]], {})[example.question] = example.answer
    code = '[server]\nport = 8080\n  host = "all"'
    where = "the section “Install” of Tern"
    assert pairs["code"] == {
        f"Which code stands in {where}?": code,
        f"Write out the code that {where} gives.": code,
        "Which code in Tern follows the words “Put this into the file”?": code,
        f"What does Tern say before the code “{code}”?": "Put this into the file",
        f"Which code follows in {where}?\n[server]\nport = 8080": 'host = "all"',
        f"Fill in the blank in the code of {where}: “port = ____”": "8080",
        f"Fill in the blank in the code of {where}: “host = ____”": '"all"',
        f"Which section of Tern has the code “{code}”?": "Install.",
        f'Which line stands before “host = "all"” in the code of {where}?': "port = 8080",
    }
    assert pairs["caption"]["What is the caption of Table 2 of Tern?"] == "Ports of the server."
    assert pairs["caption"]["What in Tern has the caption “Ports of the server”?"] == "Table 2."
    note = "On which words of Tern is there this note: “On Windows it is kept in the registry.”"
    assert pairs["note"][note] == "“It is read once”"
    # Two paragraphs of one note are two facts: "What does the note say?" would have two answers.
    assert not any(question.startswith("What does the note") for question in pairs["note"])
