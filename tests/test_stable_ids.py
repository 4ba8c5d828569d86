"""A class that moved or was renamed keeps its content key, and its old `_target_` still names it."""

import dataclasses
import importlib
import importlib.util
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from byheart import stable_ids
from byheart.config.compose import Composer, read_request
from byheart.config.trust import foreign_targets, is_own_class
from byheart.config.values import config_values
from byheart.data.chunks import Chunking
from byheart.data.rows import Rows
from byheart.dispatch import check
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.pipeline.run_config import RULES
from byheart.records import Probe
from byheart.store import content_key
from byheart.sweep.search.fingerprint import fingerprint
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.space import Space
from byheart.teacher.base import Request

# As commit bc0a307 computed them. They are never renewed: caches and runs lie under them.
KEYS = {
    "chunks": "a4acdbb2514fefac548da05f0889b3cb",
    "rows": "9b6b750f00ea02a20818cb0e9860ea0e",
    "stopping": "91fe39e34a1f92e81890b9635133e8b3",
    "model": "abc8a49ecb08fcffc3f5623cd0955df8",
    "adapter": "5e930e046be879fbf6fad3c23624c399",
    "optimizer": "ca23f66d77090c4c5fa37b68421341a1",
    "trainer": "cf7efc85f01bca543636a44680e3dc53",
    "split": "3d9dd2cf699eeb47644e513e1109f8f2",
    "teacher": "f3c45c50522512c26066bfe1176da46f",
    "expansion.rules": "3231c56aa7daa9cfd885566ad8c3d21a",
    "expansion.ladder": "f0a2a8eaead03ad3a6ec61daadb6c227",
    "expansion.rewrites": "d427389562c0fec7f33e7f9a6aea65da",
    "expansion.angles": "0562fa2d9c2fabfc57edb7c08826a4a5",
    "evaluation.recall": "339dfd3ece107ca7acd3b2ec157b2a00",
    "evaluation.choice": "cf3737b5407794a61c0ba28969c24f23",
    "evaluation.forgetting": "ddec2959cdc87ba060ba311b660bd440",
}


@dataclasses.dataclass(frozen=True)
class Chunker:
    """`Chunking` under another name and in another module."""

    max_tokens: int = Chunking().max_tokens


HERE, MOVED_FROM = f"{Chunker.__module__}.Chunker", "byheart.old_room.OldLora"


@pytest.fixture
def moved(monkeypatch):
    """`byheart.model.adapters.adapter.Lora` was called `byheart.old_room.OldLora` once."""
    monkeypatch.setitem(stable_ids.MOVED, MOVED_FROM, "byheart.model.adapters.adapter.Lora")


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    Path("a.txt").write_text("The ball is round.\n")


def test_the_keys_are_those_of_the_first_release(in_an_empty_folder):
    words = ["documents=a.txt", "expansion=[rules,ladder,rewrites,angles]", "teacher=openai", "teacher.model=toy"]
    run_config = check(read_request(words))[0][0]
    found = {}
    for key in KEYS:
        name, _, member = key.partition(".")
        found[key] = content_key(getattr(run_config, name)[member] if member else getattr(run_config, name))
    assert found == KEYS
    assert content_key(Chunking()) == KEYS["chunks"] and content_key(Rows()) == KEYS["rows"]
    request = Request("s", "u", 0.7, 100, 1, "v1", {"type": "object"})
    assert request.key("toy") == "da96736764c5aa254c1325384b96827a"
    assert content_key(Probe("1", "q", ("a",))) == "3349c8b70cac29af34d4a6595eb8b654"


def test_an_option_that_came_later_counts_only_where_it_changes_something(in_an_empty_folder):
    model = BaseModel(hub_id="HuggingFaceTB/SmolLM2-135M-Instruct")
    assert content_key(model) == KEYS["model"] != content_key(dataclasses.replace(model, template="plain"))
    sweep, space = SweepOptions.read({})[0], Space.read(["lr=1e-3,2e-3"])[0]
    plain = fingerprint(Composer().compose("learn", ["documents=a.txt"]), sweep, space, False)
    other = fingerprint(Composer().compose("learn", ["documents=a.txt", "model.date=2031-01-09"]), sweep, space, False)
    assert not {"model.date", "model.template", "model.template_args"} & plain.keys()
    assert other == plain | {"model.date": "2031-01-09"}


def test_a_moved_class_keeps_its_content_key(monkeypatch):
    assert [field.name for field in dataclasses.fields(Chunking)] == ["max_tokens"]
    assert content_key(Chunker()) != content_key(Chunking())
    monkeypatch.setitem(stable_ids.MOVED, "byheart.chunks.Chunking", HERE)
    assert content_key(Chunker()) == KEYS["chunks"] and content_key([{"a": Chunker()}]) == content_key(
        [{"a": Chunking()}]
    )


@pytest.mark.parametrize("target", [MOVED_FROM, "byheart.model.adapters.adapter.Lora"])
def test_the_old_and_the_new_path_name_the_same_class(moved, in_an_empty_folder, target):
    config = Composer().compose("learn", ["documents=a.txt"])
    config.adapter._target_ = target
    values, problems = config_values(config, RULES, lambda: config)
    assert not problems and values["adapter"] == Lora()
    assert is_own_class(target) and not foreign_targets(OmegaConf.to_container(config.adapter, resolve=False))
    said = fingerprint(config, SweepOptions.read({})[0], Space.read(["lr=1e-3,2e-3"])[0], False)
    assert said["adapter._target_"] == MOVED_FROM


@pytest.mark.parametrize("target", ["os.system", "byheart.store.os.system", "byheart.old_room.Another"])
def test_foreign_code_is_still_refused(moved, monkeypatch, target):
    assert not is_own_class(target) and foreign_targets({"_target_": target})
    monkeypatch.setitem(stable_ids.MOVED, "byheart.old_room.Another", "subprocess.Popen")
    assert not is_own_class(target) and foreign_targets({"_target_": target})


def test_each_line_of_the_table_leads_to_a_class_or_a_module():
    assert len(set(stable_ids.MOVED.values())) == len(stable_ids.MOVED), "two ids of one class"
    for path in stable_ids.MOVED.values():
        module, _, name = path.rpartition(".")
        found = getattr(importlib.import_module(module), name, None)
        assert isinstance(found, type) or importlib.util.find_spec(path), path
