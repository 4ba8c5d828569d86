"""`byheart ask RUN "question"` and `byheart chat RUN`."""

import io
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from byheart.errors import Problem, UserError
from byheart.interrupt import CTRL_C, exit_code
from byheart.use.screen import WIDTH, Writer, bold, dim, note, plain

if TYPE_CHECKING:
    from byheart.use.asking import RunModel, Said

USAGE = {
    "ask": 'byheart ask RUN "question" [--compare] [--sources]',
    "chat": "byheart chat RUN [--compare] [--sources]",
}
SWITCHES = ("compare", "sources")
LABELS = {"tuned": "tuned", "untuned": "untuned", "open_book": "open book"}
COMMANDS = (
    ("/compare", "also show what the untuned model and the open book answer, or no longer"),
    ("/sources", "also show the fact that an answer most likely comes from, or no longer"),
    ("/clear", "begin a new conversation"),
    ("/exit", "end; so does Ctrl-D"),
)


@dataclass
class Asked:
    """The words of a command line."""

    run: str = ""
    question: str = ""
    device: str | None = None
    switches: set[str] = field(default_factory=set)


def ask(words: Sequence[str]) -> int:
    """Answers one question; gives the exit code."""
    asked = read_words("ask", words)
    with _ctrl_c():
        question = asked.question or ("" if sys.stdin.isatty() else sys.stdin.read().strip())
        if not question:
            raise UserError(Problem("which question?", fix=f'{_line("ask", asked.run)} "..."'))
        conversation = Conversation(_load(asked), asked.switches)
        conversation.answer(question)
        return 0
    return exit_code()


def chat(words: Sequence[str]) -> int:
    """A conversation until Ctrl-D or /exit; without a terminal, one question a line of standard input."""
    asked = read_words("chat", words)
    with _ctrl_c():
        conversation = Conversation(_load(asked), asked.switches)
        if sys.stdin.isatty():
            import readline  # noqa: F401  # `input` then edits the line, and the arrow keys bring earlier ones back

            from byheart.report.next_steps import from_here

            run = conversation.model.run
            print(dim(f"{run.base.path}, trained in {from_here(run.folder)}"))
            print(dim("/help lists the commands, Ctrl-D ends"))
        for line in _lines():
            if line.startswith("/"):
                if line in ("/exit", "/quit", "/bye"):
                    break
                conversation.command(line)
            elif line:
                _answer_until_ctrl_c(conversation, line)
        return 0
    return exit_code()


def _answer_until_ctrl_c(conversation: "Conversation", question: str) -> None:
    """At a terminal Ctrl-C ends the answer, not the conversation."""
    try:
        conversation.answer(question)
    except KeyboardInterrupt:
        if not sys.stdin.isatty() or exit_code() != CTRL_C:
            raise
        print()
        note("stopped; this question is no part of the conversation")
    if sys.stdin.isatty():
        print()


def read_words(command: str, words: Sequence[str]) -> Asked:
    """RUN, the question and the switches: `--compare` or `compare=true`, at any place. What follows `--` is the question."""
    asked, named, problems = Asked(), list[str](), list[Problem]()
    rest = iter(words)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if word == "--":
            named += rest
        elif name in SWITCHES and (equals or word.startswith("--")):
            if value.lower() not in ("", "true", "false"):
                problems.append(Problem("must be true or false", name, value, f"--{name}"))
            (asked.switches.discard if value.lower() == "false" else asked.switches.add)(name)
        elif name in ("device", "trainer.device") and equals:
            asked.device = value
        elif name == "run" and equals and not named:
            named.append(value)
        elif word.startswith("--"):
            from byheart.config.advice import did_you_mean

            fix = did_you_mean(word, [f"--{switch}" for switch in SWITCHES], USAGE[command])
            problems.append(Problem("there is no such option", value=word, fix=fix))
        else:
            named.append(word)
    if problems:
        raise UserError(*problems)
    asked.run, asked.question = (named[0] if named else ""), " ".join(named[1:]).strip()
    if not named:
        raise UserError(Problem("which run?", fix=f"{USAGE[command]}; RUN may be latest"))
    if len(named) == 1 and " " in asked.run.strip() and not Path(asked.run).exists():
        raise UserError(Problem("which run?", fix=f'{_line(command, "latest")} "{asked.run}"'))
    if command == "chat" and asked.question:
        fix = f'{_line("chat", asked.run)}, or {_line("ask", asked.run)} "{asked.question}"'
        raise UserError(Problem("a chat begins without a question", value=asked.question, fix=fix))
    return asked


class Conversation:
    """Asks and shows: the answer on standard output as it is said, notes on standard error."""

    def __init__(self, model: "RunModel", switches: set[str]):
        self.model, self.switches = model, switches
        self.turns: list[dict[str, str]] = []
        if model.run.note:
            note(model.run.note)

    def answer(self, question: str) -> None:
        turns = [*self.turns, {"role": "user", "content": question}]
        said = self._show("tuned", turns)
        if "compare" in self.switches:
            for name in ("untuned", "open_book"):
                print()
                self._show(name, turns)
        if "sources" in self.switches:
            self._show_source(question, said.text)
        self.turns = [*turns[said.left_out :], {"role": "assistant", "content": said.text}]

    def command(self, line: str) -> None:
        name = line.removeprefix("/")
        if name in SWITCHES:
            self.switches ^= {name}
            note(f"{name} is {'on' if name in self.switches else 'off'}")
        elif name == "clear":
            self.turns = []
            note("a new conversation")
        else:
            if name != "help":
                note(f"there is no command {line}; the commands are:")
            for command, what in COMMANDS:
                print(f"  {command:<10} {dim(what)}", file=sys.stderr)

    def _show(self, name: str, turns: list[dict[str, str]]) -> "Said":
        """One model's answer, under its name where there are several."""
        if "compare" in self.switches:
            print(bold(LABELS[name]), flush=True)
        said = self.model.say(name, turns, Writer())
        print(flush=True)
        limit = f"the {self.model.tuned.longest} tokens that the model reads"
        if said.left_out:
            oldest = "oldest question" if said.left_out == 2 else f"{said.left_out // 2} oldest questions"
            note(f"the conversation is longer than {limit}: its {oldest} and what was answered are left out")
        if said.cut:
            what = "the passage with the question" if name == "open_book" else "the question"
            note(f"{what} is longer than {limit}: its beginning was cut")
        if not said.ended:
            note(f"not ended: the answer was cut after {said.tokens} tokens")
        return said

    def _show_source(self, question: str, answer: str) -> None:
        source = self.model.library.source(question, answer)
        print()
        print(bold("source"))
        if source is None:
            print("none: no fact of the documents shares a word with this answer", flush=True)
            return
        print(fill(plain(source.place), WIDTH))
        print(fill(plain(f"“{' '.join(source.text.split())}”"), WIDTH))
        print(dim(f"{source.shared} of {source.words} different words of the answer stand there"), flush=True)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C, also while libraries are imported, ends the command without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        yield
    except KeyboardInterrupt:
        print(flush=True)


def _load(asked: Asked) -> "RunModel":
    waiting = sys.stderr.isatty()
    if waiting:
        print(dim("loading the model …"), end="\r", file=sys.stderr, flush=True)
    try:
        from byheart.use.asking import open_run
        from byheart.use.find_run import trained_run

        run = trained_run(asked.run, asked.device)
        return open_run(run)
    finally:
        if waiting:
            print("\033[K", end="", file=sys.stderr, flush=True)


def _lines() -> Iterator[str]:
    """The lines of standard input, one at a time, as they come."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            yield line.strip()
        return
    while True:
        try:
            yield input("> " if sys.stdout.isatty() else "").strip()
        except EOFError:
            print()
            return


def _line(command: str, run: str) -> str:
    return shlex.join(["byheart", command, run or "latest"])
