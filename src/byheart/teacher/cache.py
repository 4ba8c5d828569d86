"""Every answer of a teacher, in one SQLite file, keyed by the content of its request: no answer is paid for twice."""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from byheart.errors import Problem, UserError
from byheart.store import cache_folder
from byheart.teacher.base import Reply, Request

Result = TypeVar("Result")
PATIENCE_S = 60.0  # for another process that writes
AT_ONCE = 500  # keys in one SELECT; SQLite takes 999 variables at least
TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, teacher TEXT NOT NULL, prompt_version TEXT NOT NULL, asked_at REAL NOT NULL,
    request TEXT NOT NULL, text TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    finish_reason TEXT NOT NULL, notes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, teacher TEXT NOT NULL, keys TEXT NOT NULL) WITHOUT ROWID;
"""
ADVICE = {
    "SQLITE_FULL": (
        "the disk is full",
        "make room, then run the same command again; saved answers are not requested again",
    ),
    "SQLITE_IOERR": (
        "it cannot be read or written",
        "check the disk and its free space, then run the same command again",
    ),
    "SQLITE_CANTOPEN": ("it cannot be opened", "choose a folder that you can write to: export BYHEART_CACHE=DIR"),
    "SQLITE_READONLY": ("it is read-only", "choose a folder that you can write to: export BYHEART_CACHE=DIR"),
    "SQLITE_NOTADB": ("it is not an answer cache", "move it away, or export BYHEART_CACHE=DIR"),
    "SQLITE_CORRUPT": ("it is damaged", "move it away; `sqlite3 FILE .recover` may save what it holds"),
    "SQLITE_BUSY": (f"another process has held it for {PATIENCE_S:.0f} s", "stop that process, or wait for it"),
}


@dataclass(frozen=True)
class Shelf:
    """The answers of one teacher to one version of a prompt, counted."""

    teacher: str
    prompt_version: str
    answers: int
    output_tokens: int
    first: float  # seconds since 1970
    last: float


class AnswerCache:
    """`with AnswerCache() as cache`: safe for several processes at once.

    WAL without a sync on each commit: an answer survives `kill -9` of every process from the moment `keep` returns; a
    power cut may take those of the last half minute, and leaves the file whole.
    """

    def __init__(self, path: Path | None = None):
        self.path = path or cache_folder() / "teacher.sqlite"

    def __enter__(self) -> "AnswerCache":
        with _explained(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                what = f"its folder cannot be made: {error.strerror}"
                fix = "choose a folder that you can write to: export BYHEART_CACHE=DIR"
                raise UserError(Problem(what, str(self.path), fix=fix)) from None
            # One thread at a time uses it, but not always the one that opened it.
            self.connection = sqlite3.connect(
                self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            _patiently(lambda: self.connection.execute("PRAGMA journal_mode = WAL"))
            self.connection.execute("PRAGMA synchronous = NORMAL")
            _patiently(lambda: self.connection.executescript(TABLES))
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def find(self, keys: Sequence[str]) -> dict[str, Reply]:
        """The answers of these keys that are in the cache."""
        found: dict[str, Reply] = {}
        names = "key, text, input_tokens, output_tokens, finish_reason, notes"
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            rows = self._run(f"SELECT {names} FROM answers WHERE key IN ({','.join('?' * len(some))})", some)
            for key, text, tokens_in, tokens_out, finish, notes in rows:
                found[key] = Reply(text, tokens_in, tokens_out, True, finish, tuple(json.loads(notes)))
        return found

    def keep(self, key: str, teacher: str, request: Request, reply: Reply) -> None:
        """Write one answer, at once. A second answer to the same request changes nothing."""
        asked = json.dumps({name: value for name, value in asdict(request).items() if value is not None})
        text = reply.text.encode("utf-8", "replace").decode("utf-8")  # JSON carries lone surrogates, SQLite does not
        row = (
            key, teacher, request.prompt_version, time.time(), asked, text,
            reply.input_tokens, reply.output_tokens, reply.finish_reason, json.dumps(reply.notes),
        )  # fmt: skip
        self._run("INSERT OR IGNORE INTO answers VALUES (?,?,?,?,?,?,?,?,?,?)", row)

    def claim(self, keys: Collection[str], owner: str, is_dead: Callable[[str], bool]) -> dict[str, str]:
        """The owner of each of `keys` now: `owner`, unless another that is running had claimed it before."""
        with _explained(self.path), self._alone():
            owners = self.connection.execute("SELECT DISTINCT owner FROM claims").fetchall()
            dead = [(name,) for (name,) in owners if name != owner and is_dead(name)]
            self.connection.executemany("DELETE FROM claims WHERE owner = ?", dead)
            self.connection.executemany("INSERT OR IGNORE INTO claims VALUES (?,?)", [(key, owner) for key in keys])
            claims = dict(self.connection.execute("SELECT key, owner FROM claims"))
        return {key: claims[key] for key in keys}

    def unclaim(self, owner: str, key: str | None = None) -> None:
        """Delete one claim of `owner`, or all of them."""
        some = ("key = ? AND owner = ?", (key, owner)) if key else ("owner = ?", (owner,))
        self._run(f"DELETE FROM claims WHERE {some[0]}", some[1])

    def shelves(self) -> list[Shelf]:
        """The answers, counted by teacher and prompt."""
        counts = "COUNT(*), SUM(output_tokens), MIN(asked_at), MAX(asked_at)"
        group = "teacher, prompt_version"
        return [
            Shelf(*row) for row in self._run(f"SELECT {group}, {counts} FROM answers GROUP BY {group} ORDER BY {group}")
        ]

    def export(self) -> Iterator[dict[str, object]]:
        """Each answer with its request, oldest first, as plain records."""
        names = ("text", "input_tokens", "output_tokens", "finish_reason")
        with _explained(self.path):
            rows = self.connection.execute("SELECT * FROM answers ORDER BY asked_at, key")
            for key, teacher, _, asked_at, request, *answer, notes in rows:
                head = {"key": key, "teacher": teacher, "asked_at": asked_at, **json.loads(request)}
                yield {**head, **dict(zip(names, answer, strict=True)), "notes": json.loads(notes)}

    def prune(self, older_than: float | None = None, teacher: str | None = None) -> int:
        """Delete the answers asked before `older_than` (seconds since 1970) by a teacher so named; how many."""
        chosen = {"asked_at < ?": older_than, "instr(teacher, ?)": teacher}
        given = {clause: value for clause, value in chosen.items() if value is not None}
        where = " AND ".join(given) or "1"
        with _explained(self.path):
            gone = self.connection.execute(f"DELETE FROM answers WHERE {where}", [*given.values()]).rowcount
            if gone:
                self.connection.execute("VACUUM")
        return gone

    def remember_batch(self, batch: str, teacher: str, keys: Sequence[str]) -> None:
        """Save the keys of a batch's requests; to be called before it is submitted."""
        self._run("INSERT OR REPLACE INTO batches VALUES (?,?,?)", (batch, teacher, json.dumps(keys)))

    def batches(self, teacher: str) -> dict[str, list[str]]:
        """The keys in each batch that may be under way."""
        rows = self._run("SELECT id, keys FROM batches WHERE teacher = ?", (teacher,))
        return {batch: json.loads(keys) for batch, keys in rows}

    def forget_batch(self, batch: str) -> None:
        self._run("DELETE FROM batches WHERE id = ?", (batch,))

    def _run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return self.connection.execute(statement, values).fetchall()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """All statements within, or none; no other process writes between them."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # SQLite itself ends one on a full disk
                self.connection.execute("ROLLBACK")
            raise


def _patiently(act: Callable[[], Result]) -> Result:
    # Two processes that make the file at once: the change to WAL does not wait for the other one by itself.
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors become a UserError that names the file and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        known = next((advice for start, advice in ADVICE.items() if name.startswith(start)), None)
        if known is None:
            raise
        what, fix = known
        raise UserError(Problem(f"the teacher's answers cannot be saved: {what}", str(path), str(error), fix)) from None
