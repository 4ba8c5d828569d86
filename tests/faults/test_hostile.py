"""Hostile input of every kind: no code of it runs, no secret comes out, no hang, and exit code 0 or 2.

Each case is a real command in a process of its own that has ten seconds of CPU. SEED chooses other spoilt documents.
"""

import gzip
import io
import json
import os
import pickle
import random
import struct
import sys
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from expansion.test_ladder import CLUB
from faults.warm import called
from sweep.toy import furnished
from teacher.chat_server import ChatServer, Say, answer
from test_doors import DOORS, SECRET
from tiny_folder import change, write_model
from toys import RULES

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from fuzz_readers import SUFFIXES, spoilt

CPU_S, SEED = 10, os.environ.get("SEED", "0")
OUTSIDE = "A secret of another folder is 7731-never-read."
KEY = {"MY_SECRET": SECRET, "OPENAI_API_KEY": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "BYHEART_KEY": SECRET}
EXPAND = ("expand", "hydra.run.dir=run")
DEEP = "[" * 50_000
Bytes = bytes | Callable[[], bytes]  # what is large is made when it is needed
Make = Callable[[Path], tuple[str, ...]]  # writes its input into a folder, and gives the words
CASES: dict[str, dict[str, Make | Callable[[], Say]]] = {
    kind: {} for kind in ("document", "config", "saved run", "questions", "model", "answer")
}


class Runs:
    """A pickle that leaves a file behind where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def document(name: str, data: Bytes) -> Make:
    def make(here: Path) -> tuple[str, ...]:
        (here / "docs").mkdir()
        (here / "docs" / name).write_bytes(data() if callable(data) else data)
        return (*EXPAND, "documents=docs")

    return make


def zipped(*members: tuple[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def linked(target: str) -> Make:
    def make(here: Path) -> tuple[str, ...]:
        (here / "docs").mkdir()
        (here / "docs/club.md").write_text(CLUB)
        (here / "docs/link.txt").symlink_to(target)
        return (*EXPAND, "documents=docs")

    return make


def piped(here: Path) -> tuple[str, ...]:
    (here / "docs").mkdir()
    (here / "docs/club.md").write_text(CLUB)
    os.mkfifo(here / "docs/pipe.txt")
    return (*EXPAND, "documents=docs")


XXE = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d><p>&x; is what it says.</p></d>'
_grown = "".join(f'<!ENTITY a{i} "&a{i - 1};&a{i - 1};">' for i in range(1, 31))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a0 "ha">{_grown}]><d>&a30;</d>'
WORD = "<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>"
DOCUMENTS = {
    "a shell's words as name": ("$(touch pwned);`touch pwned`.txt", CLUB.encode()),
    "options as name": ("--config-dir=pwned.txt", CLUB.encode()),
    "interpolation as name": ("${oc.env:MY_SECRET}.txt", CLUB.encode()),
    "markup as name": ("<img src=x onerror=alert(1)>.md", CLUB.encode()),
    "line breaks as name": ("a\nb\x1b[31m\r.txt", CLUB.encode()),
    "a long name": ("n" * 250 + ".txt", CLUB.encode()),
    "interpolation in the text": ("a.txt", b"The key is ${oc.env:MY_SECRET} and {{ 7 * 7 }} of %(x)s.\n"),
    "script in the text": ("a.md", b"# <script>alert(1)</script>\n\nThe <img src=x onerror=alert(1)> is in Bern.\n"),
    "outer entity, html": ("a.html", XXE.encode()),
    "outer entity, office": ("a.docx", zipped(("word/document.xml", XXE), ("[Content_Types].xml", "<x/>"))),
    "growing entities, html": ("a.html", LAUGHS.encode()),
    "growing entities, office": ("a.docx", zipped(("word/document.xml", LAUGHS), ("[Content_Types].xml", "<x/>"))),
    "archive that leaves its folder": ("a.epub", zipped(("../../pwned", "x"), ("mimetype", "application/epub+zip"))),
    "archive that grows": ("a.docx", lambda: zipped(("word/document.xml", WORD + "<w:p/>" * 20_000_000))),
    "pickle as text": ("a.txt", pickle.dumps(Runs())),
    "pdf that opens a program": ("a.pdf", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch/F(touch pwned)>>>>endobj\n"),
    "pdf of a million pages": ("a.pdf", b"%PDF-1.7\n1 0 obj<</Type/Pages/Count 1000000/Kids[1 0 R]>>endobj\ntrailer<</Root 1 0 R>>"),
    "one line of 1 MB": ("a.txt", b"a" * 1_000_000),
    "front matter with a class": ("a.md", b"---\ntitle: !!python/object/apply:os.system ['touch pwned']\n---\n# T\n\nIt is red.\n"),
    "only signs of direction": ("a.txt", "\u202e\u200f\u2066".encode() * 9000),
}  # fmt: skip
CASES["document"] |= {name: document(*each) for name, each in DOCUMENTS.items()}
CASES["document"] |= {
    "link out of the folder": linked("../../outside/secret.txt"),
    "link to itself": linked("link.txt"),
    "link to the folder": linked("."),
    "link to a device": linked("/dev/zero"),
    "a pipe that nobody writes": piped,
}
_files = [RULES.read_bytes(), *(path.read_bytes() for path in sorted(RULES.parents[2].glob("docs/*.md")))]


def damaged(number: int) -> Make:
    dice = random.Random(f"{SEED}:{number}")
    return document(f"a{SUFFIXES[number % len(SUFFIXES)]}", lambda: spoilt(_files, dice))


CASES["document"] |= {f"spoilt {number}": damaged(number) for number in range(48)}


def stranger(text: str, command: str) -> Make:
    if "defaults:" not in text:
        text = f"defaults: [learn, _self_]\n{text}"
    if "sampler" in text:
        text = text.replace("learn, ", "learn, {override hydra/sweeper: byheart_optuna}, ")

    def make(here: Path) -> tuple[str, ...]:
        (here / "mine").mkdir()
        (here / "mine/evil.yaml").write_text(f"{text}\ndocuments: a.txt\nmodel: {{path: model}}\n")
        return (command, "mine/evil.yaml") if command == "sweep" else (command, "-cd", "mine", "-cn", "evil")

    return make


def saved(text: str, words: tuple[str, ...]) -> Make:
    def make(here: Path) -> tuple[str, ...]:
        (here / "run/.hydra").mkdir(parents=True)
        (here / "run/adapter").mkdir()
        (here / "run/.hydra/config.yaml").write_text(f"{text}\ndocuments: a.txt\n")
        (here / "run/.hydra/overrides.yaml").write_text("[]\n")
        return words

    return make


_commands = ("expand", "learn", "sweep")
_again = (("learn", "resume=run"), ("evaluate", "run=run"), ("ask", "run", "Where?"))
for _at, (_name, (_text, _)) in enumerate(DOORS.items()):
    CASES["config"][_name] = stranger(_text, _commands[_at % 3])
    if "defaults" not in _text:
        CASES["saved run"][_name] = saved(_text, _again[_at % 3])
for _name, _text in {
    "growing aliases": "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 26)),
    "deep": f"x: {DEEP}",
    "class of YAML's own": "x: !!python/object/apply:os.system ['touch pwned']",
    "circle": "a: ${b}\nb: ${a}",
}.items():
    CASES["config"][_name] = stranger(_text, "expand")
    CASES["saved run"][_name] = saved(_text, ("learn", "resume=run"))


def asked(data: str | bytes) -> Make:
    def make(here: Path) -> tuple[str, ...]:
        (here / "odd.jsonl").write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return (*EXPAND, "documents=a.txt", "questions=odd.jsonl")

    return make


def line(**parts: object) -> str:
    return json.dumps({"question": "Where was Ada born?", "answers": ["Bern"], **parts})


CASES["questions"] = {
    name: asked(data)
    for name, data in {
        "deep": DEEP,
        "deep objects": '{"question":' * 50_000,
        "infinite": '{"question": "x", "answers": [1e999]}',
        "5,000 digits": f'{{"question": "x", "answers": ["y"], "gold": {"9" * 5000}}}',
        "not a number": '{"question": NaN, "answers": [NaN]}',
        "half a pair of surrogates": '{"question": "Where \\ud800?", "answers": ["\\udfff"]}',
        "zero bytes": b"\x00" * 5000,
        "a pickle": pickle.dumps(Runs()),
        "a list": "[[[]]]",
        "a word": '"x"',
        "null": "null",
        "empty": "",
        "numbers": '{"question": 1, "answers": 2}',
        "nothing accepted": line(answers=[]),
        "an empty answer": line(answers=[""]),
        "gold out of range": line(options=["a", "b"], gold=99),
        "gold below": line(options=["a", "b"], gold=-1),
        "gold as text": line(options=["a", "b"], gold="__import__('os').system('touch pwned')"),
        "100,000 options": line(options=["a"] * 100_000, gold=0),
        "a question of 1 MB": line(question="where " * 160_000),
        "interpolation": line(question="What is ${oc.env:MY_SECRET}?"),
        "template": line(question="{{ cycler.__init__.__globals__.os.system('touch pwned') }}"),
        "markup": line(question="<script>alert(1)</script>", answers=["<img src=x onerror=alert(1)>"]),
        "escapes": line(question="\x1b]0;pwned\x07\x1b[2J where?"),
        "tokens of the model": line(question="<s> assistant </s>", answers=["</s>"]),
        "gzip": gzip.compress(bytes(9000)),
        "utf-16": line().encode("utf-16"),
        "100,000 keys": json.dumps({f"k{i}": i for i in range(100_000)}),
    }.items()
}


def model(spoil: Callable[[Path], object]) -> Make:
    def make(here: Path) -> tuple[str, ...]:
        spoil(write_model(here / "odd"))
        return ("learn", "documents=a.txt", "model.path=odd", "epochs=1", "rows.replay=0", "evaluation=[recall]",
                "batch_size=16", "evaluation.recall.max_new_tokens=4", "trainer.precision=float32", "hydra.run.dir=run")  # fmt: skip

    return make


def put(name: str, data: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def config(**parts: object) -> Callable[[Path], object]:
    return lambda folder: change(folder / "config.json", **parts)


def with_code(folder: Path) -> None:
    (folder / "evil.py").write_text("import os\nos.system('touch pwned')\nclass Config: pass\nclass Model: pass\n")
    change(
        folder / "config.json",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
        model_type="evil",
    )


def only_pickle(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs()))


SSTI = (
    "{{ cycler.__init__.__globals__.os.popen('touch pwned').read() }}{% for m in messages %}{{ m.content }}{% endfor %}"
)
CASES["model"] = {
    name: model(spoil)
    for name, spoil in {
        "weights as a pickle": only_pickle,
        "a pickle beside the weights": put("training_args.bin", pickle.dumps(Runs())),
        "code of its own": with_code,
        "code of its own, tokenizer": put("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["evil.T", null]}}'),
        "template that calls": put("chat_template.jinja", SSTI),
        "template without end": put("chat_template.jinja", "{% for a in range(10**9) %}{% for b in range(10**9) %}x{% endfor %}{% endfor %}"),
        "template that reads the environment": put("chat_template.jinja", "{{ self.__init__.__globals__ }}"),
        "deep config": put("config.json", '{"a":' * 50_000),
        "config of a list": put("config.json", "[]"),
        "huge sizes": config(hidden_size=10**9),
        "5,000 digits": put("config.json", '{"model_type": "llama", "hidden_size": ' + "9" * 5000 + "}"),
        "negative sizes": config(num_hidden_layers=-1),
        "a million layers": config(num_hidden_layers=1_000_000),
        "infinite sizes": put("config.json", '{"model_type": "llama", "hidden_size": 1e999}'),
        "header of the weights too long": put("model.safetensors", struct.pack("<Q", 2**62) + b"{}"),
        "header of the weights deep": put("model.safetensors", struct.pack("<Q", 50_000) + DEEP.encode()),
        "index that leaves the folder": put("model.safetensors.index.json", '{"weight_map": {"x": "../../outside/secret.txt"}}'),
        "deep tokenizer": put("tokenizer.json", DEEP),
        "tokens of a million letters": put("special_tokens_map.json", json.dumps({"eos_token": "x" * 1_000_000})),
        "odd generation": put("generation_config.json", '{"temperature": NaN, "max_length": -5, "eos_token_id": "x"}'),
    }.items()
}  # fmt: skip
_escaped = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
_pair = '{"fact": [1], "angle": "what", "question": "Where is it?", "answer": "In Bern."}'
CASES["answer"] = {
    "deep brackets": lambda: Say(answer('{"pairs": ' + DEEP)),
    "deep body": lambda: Say(DEEP.encode()),
    "no end of a fact's number": lambda: Say(answer('{"pairs": [{"fact": 1e999, "question": "a?", "answer": "b"}]}')),
    "5,000 digits": lambda: Say(answer('{"pairs": [{"fact": %s, "question": "a?", "answer": "b"}]}' % ("9" * 5000))),
    "usage of Infinity": lambda: Say(
        b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": Infinity}}'
    ),
    "negative usage": lambda: Say(answer("x", usage={"prompt_tokens": -(10**30), "completion_tokens": None})),
    "key in the answer": lambda: Say(
        answer(f'{{"pairs": [{{"question": "What is {SECRET}?", "answer": "{SECRET}"}}]}}')
    ),
    "key in an error": lambda: Say({"error": {"message": f"wrong key {SECRET}"}}, 401),
    "key in an error, escaped": lambda: Say(f'{{"error": {{"message": "wrong key {_escaped}"}}}}'.encode(), 401),
    "key in an error's code": lambda: Say({"error": {"message": "no", "code": SECRET, "type": SECRET}}, 400),
    "key in a header": lambda: Say({"error": {"message": "no"}}, 400, {"x-request-id": SECRET}),
    "no choices": lambda: Say({"choices": []}),
    "choices of a number": lambda: Say({"choices": 7}),
    "content of a list": lambda: Say({"choices": [{"message": {"content": [[[]]]}}]}),
    "not JSON": lambda: Say(b"\x00\xff" * 9000),
    "markup": lambda: Say(b"<script>alert(1)</script>", 200, {"content-type": "text/html"}),
    "half an answer": lambda: Say(answer("x" * 9000), cut=300),
    "half a surrogate": lambda: Say(b'{"choices": [{"message": {"content": "\\ud800 x"}, "finish_reason": "stop"}]}'),
    "sent elsewhere": lambda: Say(b"", 302, {"location": "http://127.0.0.1:9/v1/chat/completions"}),
    "come back never": lambda: Say({"error": {"message": "later"}}, 429, {"retry-after": "0.inf"}),
    "no success": lambda: Say(b"", 204),
    "a status that is none": lambda: Say(b"x", 999),
    "gzip that is none": lambda: Say(b"xxxx", 200, {"content-encoding": "gzip"}),
    "gzip that grows": lambda: Say(gzip.compress(b" " * 200_000_000), 200, {"content-encoding": "gzip"}),
    "an answer of 20 MB": lambda: Say(answer("where " * 3_500_000)),
    "quotes and braces": lambda: Say(answer('{"' * 200_000)),
    "half pairs": lambda: Say(answer('{"pairs": [' + _pair + "," + _pair[:40])),
    "escapes": lambda: Say(answer("\x1b]0;pwned\x07\x1b[2J" + _pair)),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, cases in CASES.items() for name in cases])
def test_hostile_input_is_used_or_refused(kind, name, toy_model, tmp_path, record_property):
    record_property("fault", f"hostile: {kind}")
    here, case = tmp_path / "here", CASES[kind][name]
    reply = case() if kind == "answer" else None
    for folder in (here, tmp_path / "outside"):
        folder.mkdir()
    (tmp_path / "outside/secret.txt").write_text(OUTSIDE)
    furnished(here, toy_model)

    with ChatServer(lambda call: reply) if reply else nullcontext() as server:
        if server:
            (here / "club.md").write_text(CLUB)
            words = (*EXPAND, "documents=club.md", "expansion=ladder", "expansion.ladder.rungs=1", "teacher=openai",
                     "teacher.model=toy", f"teacher.base_url={server.url}", "teacher.api_key_env=MY_SECRET",
                     "teacher.retries=0", "teacher.timeout_s=30")  # fmt: skip
        else:
            words = case(here)
        given = {path for path in here.rglob("*") if not path.is_symlink()}
        code, said = called(words, here, here / "screen.txt", CPU_S, **KEY, BYHEART_CACHE=str(here / "cache"))
    assert code in (0, 2), f"{code}: {said[-3000:]}"
    assert "\x1b]0;" not in said
    assert not list(tmp_path.rglob("pwned")), "its code has run"
    for path in here.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in given:
            held = path.read_bytes()
            assert SECRET.encode() not in held and b"7731-never" not in held, f"a secret is in {path}"
