"""A command line as people type it, in the words that byheart reads.

`--epochs 3`, `epochs = 3` and `epochs: 3` are `epochs=3`; a file alone is a document; `--dry-run` asks for `check`. What
can be meant in one way only is understood. For the rest there is a Problem, with a line to copy where one can be told.
"""

import re
import shlex
from argparse import Action
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from byheart.config.folders import sweeps_folder
from byheart.config.keys import OTHER_NAMES, head, known_keys, known_name, options
from byheart.config.near import near
from byheart.config.quoting import PATHS, TEXTS, file_exists
from byheart.errors import Problem

DRY_RUN = ("dry_run", "dryrun", "dry")
TRAINING = ("learn", "expand", "sweep", "check")
WITH_SETTINGS = (*TRAINING, "evaluate", "pick", "bases")  # the other commands have words of their own
SEVERAL = ("multirun", "multi_run")
BOOLEANS = ("true", "false", "yes", "no", "on", "off", "0", "1")
CURLY = str.maketrans({**dict.fromkeys("“”„", '"'), **dict.fromkeys("‘’‚", "'")})  # a word processor's quotes
KEY = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@-]*")
DOCUMENT = re.compile(r"[/*?]|\.(pdf|te?xt|md|markdown|x?html?|docx?|rtf|odt|epub|pptx?)$", re.I)
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+", re.A)
QUESTIONS = re.compile(r"\.(jsonl|ndjson)$", re.I)


@dataclass
class Typed:
    """What was understood.

    `words` leaves out what was not. `line` has them too, and what each wrong word may have meant.
    """

    command: str
    words: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)  # files that were named without a key
    wrong: list[Problem] = field(default_factory=list)
    bare: int = 0  # words so far that are neither settings nor flags
    sweep: str = ""  # NAME of `byheart sweep NAME`
    dry_run: bool = False  # check the settings, and start nothing

    @property
    def problems(self) -> list[Problem]:
        """What was not understood. A problem that has no advice of its own gets the line."""
        return [Problem(each.what, each.where, each.value, each.fix or self.copy) for each in self.wrong]

    @property
    def copy(self) -> str:
        """The whole line to copy."""
        if self.dry_run and self.command in ("learn", "check"):
            return _line("check", *self.line)
        return _line(self.command, *self.line, *(["--dry-run"] if self.dry_run else []))

    def take(self, *words: str) -> None:
        self.words += words
        self.line += words

    def refuse(self, what: str, word: str, fix: str = "", meant: Sequence[str] = ()) -> None:
        self.line += meant
        self.wrong.append(Problem(what, value=word, fix=fix))


def read_typed(command: str, words: Sequence[str], commands: Sequence[str]) -> Typed:
    """`words` are those after the command; `commands` the names of all."""
    typed = Typed(command)
    rest = _joined([_plain_signs(word) for word in words])
    while rest:
        word = rest.pop(0)
        key, equals, value = word.partition("=")
        name, is_flag = known_name(key.lstrip("-")), word.startswith("-")
        if word in hydras_flags() and not (word == "--run" and typed.command == "evaluate" and _is_value(rest)):
            typed.take(*_words_of(word, rest))
        elif name in DRY_RUN and (equals or is_flag):
            _dry_run(typed, word)
        elif name in SEVERAL and (equals or is_flag):
            typed.take(*(["--multirun"] if value.lower() not in ("false", "no", "0") else []))
        elif (word.startswith("--") and name) or (is_flag and name.partition(".")[0] in known_keys()):
            _flag(typed, word, rest)
        elif re.match(r"-[A-Za-z]", word) and not file_exists(word):
            value = rest.pop(0) if _is_value(rest) and not is_document(rest[0]) else ""
            typed.refuse("there is no such flag", f"{word} {value}".strip(), _flag_advice(typed.command, word))
        elif re.match(r"~(?!/)", word):
            typed.take(word)  # Hydra's sign for: remove this
        elif equals and KEY.fullmatch(key) and (key.partition(".")[0] in known_keys() or not file_exists(word)):
            _setting(typed, f"{name}={value}", rest)
        else:
            _bare(typed, word, rest, commands)
    _list_documents(typed)
    if typed.command == "sweep" and not typed.sweep:
        typed.refuse("which sweep? Here is the standard one; `byheart sweep --help` lists all", "")
        typed.line.insert(0, "batch_lr_epochs")
        typed.line += [] if any(word.startswith("documents=") for word in typed.line) else ["documents=handbook.pdf"]
    return typed


@cache
def hydras_flags() -> Mapping[str, Action]:
    """Hydra's flags, as its own parser has them."""
    from hydra._internal.utils import get_args_parser

    return get_args_parser()._option_string_actions


def _words_of(flag: str, rest: list[str]) -> list[str]:
    """A flag of Hydra's with the word that belongs to it."""
    action = hydras_flags()[flag]
    takes = action.nargs is None or (action.nargs == "?" and rest[:1] and rest[0] in (action.choices or ()))
    return [flag, rest.pop(0)] if takes and rest else [flag]


def _plain_signs(word: str) -> str:
    """What a word processor makes of -- and of quotes, made plain again; file names may be in quotes."""
    if file_exists(word.partition("=")[2]):
        return word
    word = re.sub(r"^[–—]", "--", word).translate(CURLY)
    whole = re.fullmatch(r"\"([^\"]*)\"|'([^']*)'", word)
    key, equals, value = (whole[1] or whole[2] or "" if whole else word).partition("=")
    quoted = re.fullmatch(r"\"([^\"']*)\"|'([^\"']*)'", value)
    return f"{key}={quoted[1] or quoted[2] or ''}" if quoted and PATHS.match(key) else f"{key}{equals}{value}"


def _joined(words: Sequence[str]) -> list[str]:
    """With blanks around the equals sign, after a comma or in brackets, the shell has made several words of one."""
    made: list[str] = []
    for word in words:
        last = made[-1] if made else ""
        if word in ("", "--"):
            continue
        is_name = bool(KEY.fullmatch(last.lstrip("-"))) and not file_exists(last)
        is_value = not re.match(r"-+[A-Za-z]|\+{0,2}[A-Za-z_][\w.]*=", word)
        if (word.startswith("=") and is_name) or (is_value and _is_open(last)):
            between = "," if re.search(r"=[\[{].*[^,\[{]$", last) and word[0] not in ",]}" else ""
            made[-1] += f"{between}{word}"
        elif last.endswith(":") and last[:-1] in known_keys() and is_value:
            made[-1] = f"{last[:-1]}={word}"
        else:
            made.append(word)
    return made


def _is_open(word: str) -> bool:
    """Whether a setting goes on in the next word."""
    key, equals, value = word.partition("=")
    if not equals or not KEY.fullmatch(key.lstrip("-")) or file_exists(value):
        return False
    in_brackets = value[:1] in ("[", "{") and any(value.count(one) > value.count(two) for one, two in ("[]", "{}"))
    return not value or in_brackets or value.endswith(",")


def _is_value(rest: Sequence[str]) -> bool:
    """Whether the next word can be the value of the one before."""
    if not rest:
        return False
    key, equals, _ = rest[0].partition("=")
    return not (equals and head(known_name(key)) in (*known_keys(), "hydra")) and not re.match(r"-+[A-Za-z]", rest[0])


def _dry_run(typed: Typed, word: str) -> None:
    if typed.command in TRAINING:
        typed.dry_run = True
    else:
        typed.refuse("this command has no dry run", word, "`byheart check` checks the settings of a training")


def _flag(typed: Typed, word: str, rest: list[str]) -> None:
    """`--key value`, `--key=value`, `--key` for true and `--no-key` for false."""
    key, equals, value = word.lstrip("-").partition("=")
    name = known_name(key)
    if isinstance(known_keys().get(name.removeprefix("no_")), bool) and not equals:
        said = rest.pop(0) if rest and rest[0].lower() in BOOLEANS else str(not name.startswith("no_")).lower()
        typed.take(f"{name.removeprefix('no_')}={said}")
    elif head(name) not in known_keys() and near(key, _long_flags(), 1):
        value = rest.pop(0) if not equals and _is_value(rest) else value
        typed.refuse("there is no such flag", f"--{key} {value}".strip(), _flag_advice(typed.command, word))
    elif equals or _is_value(rest):
        _setting(typed, f"{name}={value if equals else rest.pop(0)}", rest)
    elif head(name) not in known_keys():
        typed.refuse("there is no such flag", word, _flag_advice(typed.command, word))
    else:
        typed.refuse("this setting needs a value", word, f"{name}=VALUE; `byheart {typed.command} --help` explains it")


def _long_flags() -> list[str]:
    return [flag[2:] for flag in (*hydras_flags(), "--dry-run") if flag.startswith("--")]


def _flag_advice(command: str, word: str) -> str:
    """What may have been meant by a flag that is not there."""
    name = word.lstrip("-").partition("=")[0]
    keys = [key for key in known_keys() if key.startswith(name)] if len(name) == 1 else near(name, known_keys(), 2)
    keys += [OTHER_NAMES[plain]] if (plain := name.replace("-", "_")) in OTHER_NAMES else []
    said = [f"--{each}" for each in near(name, _long_flags(), 2)]
    said += [options()[plain]] if plain in options() else [f"{key}=VALUE" for key in keys[:3]]
    return f"did you mean {' or '.join(said)}?" if said else f"`byheart {command} --help` lists settings and flags"


def _setting(typed: Typed, word: str, rest: list[str]) -> None:
    """`key=value`. A file's name with blanks that was not quoted is in the words after it."""
    key, _, value = word.partition("=")
    if PATHS.match(key) and not file_exists(value) and (name := _with_blanks(value, rest)):
        del rest[: name.count(" ") - value.count(" ")]
        return typed.take(f"{key}={name}")
    several = re.split(r"\s+(?=\+{0,2}[A-Za-z_][\w.]*=)", word)
    if (
        len(several) > 1
        and not file_exists(value)
        and all(head(each.partition("=")[0]) in known_keys() for each in several)
    ):
        return typed.refuse("several settings in one pair of quotes", word, meant=several)
    typed.take(word)


def _bare(typed: Typed, word: str, rest: list[str], commands: Sequence[str]) -> None:
    """A word that is neither a setting nor a flag."""
    typed.bare += 1
    command, is_there = typed.command, file_exists(word)
    key, colon, value = word.partition(":")
    last = typed.words[-1] if typed.words else ""
    if command == "check" and typed.bare == 1 and word in TRAINING and not is_there:
        typed.command, typed.bare, typed.dry_run = word, 0, True
    elif word in commands and not is_there and (typed.bare == 1 or (command == "sweep" and not typed.sweep)):
        typed.refuse("two commands in one line", f"{command} {word}")
        typed.command, typed.bare = word, 0
    elif command == "sweep" and not typed.sweep and (_is_sweep(word) or not is_document(word)):
        typed.sweep = word
        typed.take(word)
    elif command == "pick":
        number = rest.pop(0) if word == "trial" and rest and rest[0].isdigit() else word
        typed.take(f"trial={number}" if number.isdigit() else word)
    elif command == "bases" and _is_model(word):
        _add_model(typed, word)
    elif not is_there and (name := _with_blanks(word, rest)):
        del rest[: name.count(" ") - word.count(" ")]
        typed.documents.append(name)
    elif colon and value and key in known_keys() and not is_there:
        _setting(typed, f"{key}={value}", rest)
    elif known_name(word) in known_keys() and not is_there and _is_value(rest):
        _setting(typed, f"{known_name(word)}={rest.pop(0)}", rest)
    elif is_there and (Path(word).expanduser() / ".hydra").is_dir():
        if command == "evaluate":
            return typed.take(f"run={word}")
        typed.refuse("this is the folder of a run", word, f"to continue it: {_line('learn', f'resume={word}')}")
    elif QUESTIONS.search(word):
        if command == "evaluate":
            return typed.take(f"questions={word}")
        typed.refuse(
            "this may be questions to ask or examples to learn; name the setting", word, meant=[f"questions={word}"]
        )
    elif command == "evaluate":
        typed.take(f"run={word}")
    elif PATHS.match(last.partition("=")[0]) and not (is_there or file_exists(last.partition("=")[2])):
        typed.refuse("a name with blanks needs quotes", word)
        typed.line[-1] += f" {word}"
    elif is_document(word):
        typed.documents.append(word)
    elif word in options():
        group = options()[word].partition("=")[0]
        before = next((each for each in typed.line if each.startswith(f"{group}=")), "")
        typed.refuse(
            "this is not key=value", word, meant=[f"{before.replace('=', '=[')},{word}]" if before else options()[word]]
        )
        typed.line.remove(before) if before else None
    elif _is_sweep(word):
        typed.refuse("this is the name of a sweep", word, _line("sweep", word, *typed.line, *rest))
    elif TEXTS.match(last.partition("=")[0]):
        typed.refuse("a name with blanks needs quotes", word)
        typed.line[-1] += f" {word}"
    else:
        found = [options().get(each, f"{each}=VALUE") for each in near(word, [*known_keys(), *options()])]
        advice = f"write settings as key=value; `byheart {command} --help` lists the keys"
        typed.refuse("this is not key=value", word, f"did you mean {' or '.join(found)}?" if found else advice)


def _with_blanks(word: str, rest: Sequence[str]) -> str:
    """The file whose name begins with this word and goes on in the words after it; "" if there is none."""
    names = (" ".join([word, *rest[:end]]) for end in range(len(rest), 0, -1))
    return next((name for name in names if file_exists(name)), "")


def _is_sweep(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) or any(
        (folder / f"{word}.yaml").is_file() for folder in (Path("sweeps"), sweeps_folder())
    )


def _is_model(word: str) -> bool:
    """Whether a word alone is a base: a shipped model, a folder with a model, or a hub id that is no file."""
    if file_exists(word):
        return (Path(word).expanduser() / "config.json").is_file()
    shipped = options().get(word, "").startswith("model=")
    return shipped or bool(HUB_ID.fullmatch(word) and not re.search(r"\.[A-Za-z]{2,5}$", word))


def _add_model(typed: Typed, word: str) -> None:
    """A base that was named without a key, after those of `models=`."""
    said = next((each for each in typed.words if each.startswith("models=")), "")
    names = re.sub(r"^\[(.*)\]$", r"\1", said.partition("=")[2])
    for words in (typed.words, typed.line):
        words[:] = [each for each in words if not said or each != said]
        words.append(f"models=[{f'{names},{word}' if names else word}]")


def is_document(word: str) -> bool:
    """Whether a word alone is a file: it is there, or looks like the name of one."""
    return file_exists(word) or (bool(re.search(r"\w", word)) and bool(DOCUMENT.search(word)))


def _list_documents(typed: Typed) -> None:
    """Files that were named without a key, after those of `documents=`, if it is given once."""
    if not typed.documents:
        return
    said = [word for word in typed.words if word.startswith("documents=")]
    before = [re.sub(r"^\[(.*)\]$", r"\1", said[0].partition("=")[2])] if len(said) == 1 else []
    names = [*before, *typed.documents]
    together = f"documents={names[0]}" if len(names) == 1 else f"documents=[{','.join(names)}]"
    for words in (typed.words, typed.line):
        words[:] = [word for word in words if not before or word != said[0]]
        words.append(together)


def _line(command: str, *words: str) -> str:
    return shlex.join(["byheart", command, *words])
