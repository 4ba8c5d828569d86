"""The page's section on what can be extracted: the facts that the tuned model gives word for word, and shares by task."""

from collections.abc import Sequence
from pathlib import Path

from byheart.records import Json
from byheart.report import tables
from byheart.store import read_records

SHOWN = 12  # facts

_HTML = """
<section id="memorized">
  <h2><a href="#memorized">What can be extracted</a></h2>
  <div>
  {% if rows %}
  <p>{{ taken|length }} of {{ rows|length }} taught facts that were tried go on word for word when the tuned model reads their beginning; the untuned model gives {{ before }} of them. <a href="verbatim.jsonl">verbatim.jsonl</a> lists all, with what each model said.</p>
  {% if taken %}<table class="plain texts"><tbody>{% for row in taken[:shown] %}<tr><td dir="auto">{{ row.text }}</td></tr>{% endfor %}</tbody></table>
  {% if taken|length > shown %}<p class="key">{{ taken|length - shown }} more are in the file.</p>{% endif %}{% endif %}
  {% endif %}
  {% if tasks %}
  <h3>By task <small>trained questions, asked as they were trained</small></h3>
  <p class="key">How many answers have a long run of the documents’ words (eight, unless set otherwise), and of all runs of five words the share that the documents have.</p>
  <table class="plain counted"><thead><tr><th scope="col">task</th><th scope="col">asked</th><th scope="col">word for word</th><th scope="col">runs of five words</th></tr></thead><tbody>
  {% for task, asked, verbatim, ngrams in tasks %}<tr><th scope="row">{{ task }}</th><td>{{ asked }}</td><td>{{ verbatim }}</td><td>{{ ngrams }}</td></tr>{% endfor %}
  </tbody></table>
  {% endif %}
  </div>
</section>
"""


def section(rows: Sequence[Json], scores: Json) -> str:
    """HTML, or "" where the audit was not asked for. `rows`: those of verbatim.jsonl."""
    from jinja2 import ChainableUndefined, Environment

    tasks = _tasks(scores)
    if not rows and not tasks:
        return ""
    environment = Environment(autoescape=True, undefined=ChainableUndefined, finalize=tables.finalize)
    taken = [row for row in rows if row.get("tuned_verbatim") or row.get("tuned_extracted")]
    before = sum(bool(row.get("untuned_verbatim") or row.get("untuned_extracted")) for row in rows)
    return environment.from_string(_HTML).render(rows=rows, taken=taken, before=before, tasks=tasks, shown=SHOWN)


def read_audit(folder: Path) -> Sequence[Json]:
    path = folder / "verbatim.jsonl"
    return read_records(path) if path.exists() else []


def _tasks(scores: Json) -> list[tuple[str, int, str, str]]:
    """(task, asked, shares of the tuned model as text), the most memorized first."""
    found = []
    for task in scores.get("verbatim_by_task") or {}:
        block = {"tuned": scores["verbatim_by_task"][task].get("tuned")}
        verbatim, ngrams = (tables.entry(block, "tuned", metric) for metric in ("verbatim", "ngrams"))
        if verbatim and ngrams:
            found.append((-verbatim.value, task, verbatim, ngrams))
    return [
        (task, a.count, tables.hits(a), tables.percent(b.value)) for _, task, a, b in sorted(found, key=lambda x: x[:2])
    ]
