"""A hub id is asked of the hub before anything is read, paid or loaded: a small server stands for it."""

import gzip
import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from byheart import cli
from byheart.model.base_model import BaseModel
from byheart.model.files import hub
from byheart.model.files.hub import ask_hub
from byheart.model.sizes import CONFIG, NAME, download_bytes, sizes_of
from tiny_folder import CONFIG as TINY

FILES = {"model.safetensors": 8_000_000_000, "config.json": 700, "tokenizer.json": 11_000_000, "original/other.bin": 9}
INFO = {
    "id": "Qwen/Some-4B", "modelId": "Qwen/Some-4B", "sha": "0" * 40, "private": False, "tags": [], "downloads": 1, "likes": 1,
    "siblings": [{"rfilename": name, "size": size} for name, size in FILES.items()],
    "safetensors": {"parameters": {"BF16": 4_000_000_000}, "total": 4_000_000_000},
}  # fmt: skip


@contextmanager
def served(answers, monkeypatch):
    """A hub at which each path that is not in `answers` is answered with 404. Gives the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body, headers = next(
                (answer for part, answer in answers.items() if part in self.path), (404, {}, {})
            )
            if status == "slow":
                time.sleep(1.0)
                return
            self.send_response(200 if status == "drip" else status)
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                for start in range(0, len(text), 1 if status == "drip" else len(text) or 1):
                    self.wfile.write(text[start:] if status != "drip" else text[start : start + 1])
                    time.sleep(0.1 if status == "drip" else 0.0)

        do_HEAD = do_GET

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    ask_hub.cache_clear()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        ask_hub.cache_clear()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The ball is round.\n")
    ask_hub.cache_clear()
    yield
    ask_hub.cache_clear()


WHOLE = {"/api/models/Qwen/Some-4B": (200, INFO, {}), "config.json": (200, TINY, {})}


def test_a_hub_id_that_is_there_passes_and_its_size_is_known(monkeypatch, capsys):
    with served(WHOLE, monkeypatch) as asked:
        assert cli.main(["check", "documents=a.txt", "model.path=Qwen/Some-4B"]) == 0
        shown = capsys.readouterr().out
        assert "4 billion parameters, on the hub, 8 GB to download" in shown and "not verified" not in shown
        model = BaseModel("Qwen/Some-4B")
        sizes = sizes_of(model)
        assert (sizes.parameters, sizes.read_from, sizes.width) == (4_000_000_000, CONFIG, TINY["hidden_size"])
        assert download_bytes(model, sizes) == 8_000_000_000 + 700 + 11_000_000, (
            "what lies in a folder below is not read"
        )
        assert sum("Some-4B" in path for path in asked) == 2, "asked once in a process"


@pytest.mark.parametrize("command", ["check", "learn"])
def test_a_misspelled_hub_id_is_refused_before_anything_is_read(monkeypatch, capsys, command):
    with served({}, monkeypatch):
        assert cli.main([command, "documents=a.txt", "model.path=Qwen/NoSuch-4B"]) == 2
    said = capsys.readouterr().err
    assert "model.path" in said and "the hub has no such model" in said and "check the spelling" in said
    assert not Path("outputs").exists()


GATED = {"X-Error-Code": "GatedRepo"}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"/api/models": (401, {}, {"X-Error-Code": "RepoNotFound"})}, "if it is private, run `hf auth login`"),
        ({"/api/models": (403, {}, {})}, "does not let you read"),
        (WHOLE | {"config.json": (401, {}, GATED)}, "its licence must be accepted on the hub first"),
        (WHOLE | {"config.json": (404, {}, {"X-Error-Code": "EntryNotFound"})}, "has no config.json"),
        (WHOLE | {"config.json": (200, {"model_type": "bert", "architectures": ["BertForMaskedLM"]}, {})}, "no causal"),
    ],
)
def test_why_a_model_cannot_be_had_is_said_with_what_to_do(monkeypatch, answers, words):
    with served(answers, monkeypatch):
        (problem,) = BaseModel("Qwen/Some-4B").problems()
    assert problem.where == "model.path" and words in str(problem) and problem.fix


def test_a_revision_that_is_not_there_is_named(monkeypatch):
    answers = {"/revision/v9": (404, {}, {"X-Error-Code": "RevisionNotFound"})} | WHOLE
    with served(answers, monkeypatch):
        (problem,) = BaseModel("Qwen/Some-4B", revision="v9").problems()
    assert "no revision v9" in problem.what


@pytest.mark.parametrize(
    "answers", [{"/api": ("slow", {}, {})}, {"/api": (500, {}, {})}, {"/api": (200, ["no hub"], {})}]
)
def test_a_hub_that_does_not_answer_leaves_the_model_unverified(monkeypatch, capsys, answers):
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.2)
    with served(answers, monkeypatch):
        assert cli.main(["check", "documents=a.txt", "model=qwen3_4b"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Qwen/Qwen3-4B is not verified: the hub could not be reached" in shown
    assert "ready: all settings are valid, but for what stands above" in shown
    assert "4 billion parameters by its name" in shown


def test_without_a_network_the_size_is_read_from_the_name():
    model = BaseModel("Qwen/Qwen3-4B")
    sizes = sizes_of(model)
    assert model.unverified and sizes.read_from == NAME and sizes.parameters == 4e9
    assert download_bytes(model, sizes) == 8e9
    assert sizes_of(BaseModel("someone/a-model")) is None and download_bytes(BaseModel("someone/a-model"), None) is None


def test_a_hub_id_that_is_not_used_is_told_where_it_belongs(capsys):
    assert cli.main(["check", "documents=a.txt", "model.hub_id=Qwen/NoSuch-4B"]) == 2
    said = capsys.readouterr().err
    assert "model.hub_id" in said and "model.path=Qwen/NoSuch-4B" in said


def test_the_cache_counts_as_verified_and_the_hub_is_not_asked(monkeypatch, tmp_path):
    from tiny_folder import write_model

    home = tmp_path / "hub/models--Qwen--Some-4B"
    write_model(home / "snapshots/abc")
    (home / "refs").mkdir()
    (home / "refs/main").write_text("abc")
    with served({}, monkeypatch) as asked:
        model = BaseModel("Qwen/Some-4B")
        assert not model.problems() and not model.unverified and download_bytes(model, sizes_of(model)) == 0
        assert not any("Some-4B" in path for path in asked)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"[" * 10**6, "RecursionError"), (b"[1]", "TypeError"), (b'{"id": "a/b", "siblings": [{"size": 1e999}]}', "Error"),
        (b" " * 30_000_000, "ValueError"), (b'{"id": "a/b", "siblings": [{"rfilename": ["a"], "size": 7}]}', "TypeError"),
        (gzip.compress(b"[]"), "UnicodeDecodeError"),
    ],
    ids=["deep", "list", "infinity", "endless", "odd names", "compressed"],
)  # fmt: skip
def test_whatever_answers_instead_of_the_hub_did_not_answer(said, why, monkeypatch):
    with served({"": (200, said, {"Content-Encoding": "gzip"} if said[:2] == b"\x1f\x8b" else {})}, monkeypatch):
        assert why in ask_hub("a/b").unreached


def test_a_hub_that_drips_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.3)
    with served({"": ("drip", b" " * 100, {})}, monkeypatch):
        began = time.monotonic()
        assert "no answer in 0.3 s" in ask_hub("a/b").unreached and time.monotonic() - began < 4
