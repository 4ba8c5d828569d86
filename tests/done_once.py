"""What a process of tests does again and again is done once: a third of the time of a toy run. A user's run does it once."""

import functools
import gc
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import jinja2
import omegaconf.base
import omegaconf.grammar_parser
import pytest
import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from omegaconf import _utils

from byheart.expansion.rules import by_kind


def everything(patch: pytest.MonkeyPatch) -> None:
    quick_yaml(patch)
    quick_files(patch)
    quick_templates(patch)
    quick_reading(patch)
    patch.setattr(os, "fsync", lambda handle: None)  # it guards against a power cut, which no test makes
    gc.set_threshold(10_000, 50, 50)  # the collector walks all that torch and spaCy loaded


def quick_yaml(patch: pytest.MonkeyPatch) -> None:
    """Hydra reads a dozen YAML files for each command. PyYAML's parser in C does it in a tenth of the time."""
    if not hasattr(yaml, "CSafeLoader"):
        return

    class Loader(yaml.cyaml.CParser, _utils.get_yaml_loader()):
        def __init__(self, stream):
            yaml.cyaml.CParser.__init__(self, stream)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    patch.setattr(_utils, "get_yaml_loader", lambda: Loader)


def quick_files(patch: pytest.MonkeyPatch) -> None:
    """A config file that did not change is read once, and `${...}` in it is parsed once."""
    read, known = FileConfigSource.load_config, dict[tuple, bytes]()

    def load(self, config_path):
        try:
            file = Path(self.path, self._normalize_file_name(config_path)).stat()
        except OSError:
            return read(self, config_path)
        key = (self.path, self.provider, config_path, file.st_ino, file.st_mtime_ns, file.st_size)
        if key not in known:
            known[key] = pickle.dumps(read(self, config_path))
        return pickle.loads(known[key])  # a copy: Hydra takes the list of defaults out of it

    patch.setattr(FileConfigSource, "load_config", load)
    parse = functools.lru_cache(1000)(omegaconf.grammar_parser.parse)
    for module in (omegaconf.base, _utils):
        patch.setattr(module, "parse", parse)


def quick_templates(patch: pytest.MonkeyPatch) -> None:
    """The template of a page is compiled once."""
    compiled, known = jinja2.Environment.compile, dict[tuple, object]()

    def compile_once(self, source, *more, **named):
        if not isinstance(source, str):
            return compiled(self, source, *more, **named)
        settings = (self.autoescape, self.trim_blocks, self.lstrip_blocks, self.finalize, self.undefined)
        key = (type(self), source, more, *named.items(), *settings, *self.filters, *self.extensions)
        if key not in known:
            known[key] = compiled(self, source, *more, **named)
        return known[key]

    patch.setattr(jinja2.Environment, "compile", compile_once)


def quick_reading(patch: pytest.MonkeyPatch) -> None:
    """The sentences of the toy text and of the ham-radio rules are parsed once."""
    read, known = by_kind.ask_facts, dict[bytes, dict]()

    def ask_once(*given):
        key = pickle.dumps([list(each.items()) if isinstance(each, Mapping) else list(each) for each in given])
        if key not in known:
            known[key] = read(*given)
        return {fact: list(asked) for fact, asked in known[key].items()}

    patch.setattr(by_kind, "ask_facts", ask_once)
