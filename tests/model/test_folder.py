"""Models that cannot be trained are refused by `byheart check`, with key, value and a fix, before anything is paid."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from byheart.cli import main
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.model.embedded import embedded_folder
from byheart.model.files.folder import read_folder
from byheart.model.files.targets import adapter_problems
from tiny_folder import change, write, write_model

Mutation = Callable[[Path], object]
FAILURES: dict[str, tuple[Mutation, str, str, str]] = {}  # name -> what is done to the folder, overrides, what, fix


def fails(name: str, mutation: Mutation, what: str, fix: str, words: str = "model.path={folder}") -> None:
    FAILURES[name] = mutation, words, what, fix


def config(**values: object) -> Mutation:
    return lambda folder: change(folder / "config.json", **values)


def tokenizer(**values: object) -> Mutation:
    return lambda folder: change(folder / "tokenizer_config.json", **values)


def put(name: str, content: bytes | str) -> Mutation:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def without(*names: str) -> Mutation:
    return lambda folder: [(folder / name).unlink() for name in names]


def only(**files: str) -> Mutation:
    """A folder with these files alone."""

    def mutate(folder: Path) -> None:
        without(*(each.name for each in folder.iterdir()))(folder)
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(content)

    return mutate


def cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1000])


def in_two(index: dict[str, str]) -> Mutation:
    """Weights by an index, whose only file is the whole of them."""

    def mutate(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        write(folder / "model.safetensors.index.json", {"weight_map": index})

    return mutate


def nested(name: str) -> Mutation:
    def mutate(folder: Path) -> None:
        files = [*folder.iterdir()]
        (folder / name).mkdir()
        for file in files:
            file.rename(folder / name / file.name)

    return mutate


def no_end(folder: Path) -> None:
    tokenizer(eos_token=None)(folder)
    config(eos_token_id=None)(folder)
    (folder / "generation_config.json").unlink()


def nothing(folder: Path) -> None: ...


LFS, PAGE = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "<!DOCTYPE html><html>Sign in</html>"
SHARD = "model-00001-of-00002.safetensors"
# fmt: off
# The place
fails("no name", nothing, "no model is named", "name a local folder", "model.path=''")
fails("misspelt folder", nothing, "there is no such model folder", "did you mean model.path={folder}?", "model.path={folder}x")
fails("its file", nothing, "a file, not a folder", "model.path={folder}", "model.path={folder}/config.json")
fails("a GGUF file", put("m.gguf", "GGUF"), "this is a GGUF file", "*.safetensors", "model.path={folder}/m.gguf")
fails("a URL", nothing, "no such model folder", "did you mean model.path=owner/name?", "model.path=https://huggingface.co/owner/name/tree/main")
fails("hub id and slash", nothing, "no such model folder", "the hub id owner/name", "model.path=owner/name/")
fails("embedded misspelt", nothing, "no such model folder", "model.path=smollm2_135m", "model.path=smollm_135m")
fails("below", nested("checkpoint-500"), "in folders below it", "did you mean model.path={folder}/checkpoint-500?")
# The folder
fails("empty", only(), "this folder is empty", "copy the model into it")
fails("no config", without("config.json"), "it has no config.json", "save_pretrained")
fails("only GGUF", only(a__gguf="GGUF"), "only GGUF files", "*.safetensors")
fails("an adapter", only(adapter_config__json='{"base_model_name_or_path": "owner/base"}'), "a peft adapter", "model.path=owner/base")
fails("a run", only(run__json="{}"), "the folder of a run", "the model that the run was trained on")
fails("maker's format", only(params__json="{}"), "their maker's own format", "the version for transformers")
fails("config cut", put("config.json", '{"model_type": "lla'), "config.json is not valid JSON", "download this file again")
fails("config empty", put("config.json", ""), "config.json is empty", "download this file again")
fails("config a list", put("config.json", "[]"), "config.json is not a JSON object", "download this file again")
fails("config a page", put("config.json", PAGE), "config.json is a web page", "ask for a login")
# The class
fails("no model_type", config(model_type=None), "names no model_type", "copy config.json")
fails("type unknown", config(model_type="quux", architectures=["QuuxForCausalLM"]), 'does not know its model_type "quux"', "pip install -U transformers")
fails("type misspelt", config(model_type="lama"), 'model_type "lama"', 'did you mean "model_type": "llama"?')
fails("own code", config(model_type="quux", auto_map={"AutoModelForCausalLM": "m.Quux"}), "code of its own (auto_map)", "part of transformers")
fails("encoder", config(model_type="bert", architectures=["BertForMaskedLM"]), "fills gaps", "choose a causal language model")
fails("bare encoder", config(model_type="roberta", architectures=["RobertaModel"]), "in both directions", "choose a causal language model")
fails("T5", config(model_type="t5", architectures=["T5ForConditionalGeneration"]), "type t5", "choose a causal language model")
fails("BART", config(model_type="bart", architectures=["BartForConditionalGeneration"], is_encoder_decoder=True), "BartForConditionalGeneration", "choose a causal language model")
fails("reward", config(architectures=["LlamaForSequenceClassification"]), "gives a class or a reward", "choose a causal language model")
fails("vision", config(model_type="vit", architectures=["ViTForImageClassification"]), "type vit", "choose a causal language model")
fails("GPTQ", config(quantization_config={"quant_method": "gptq", "bits": 4}), "quantized (gptq)", "pip install gptqmodel")
fails("HQQ", config(quantization_config={"quant_method": "hqq"}), "quantized (hqq)", "not quantized")
# The weights
fails("no weights", without("model.safetensors"), "there are no weights", "model.safetensors")
fails("cut off", cut, "model.safetensors is cut off: it has 38,509 of 39,509 bytes", "download this file again")
fails("zero bytes", put("model.safetensors", ""), "model.safetensors is empty", "download this file again")
fails("LFS pointer", put("model.safetensors", LFS), "a Git LFS pointer", "git lfs pull")
fails("a page", put("model.safetensors", PAGE), "model.safetensors is a web page", "ask for a login")
fails("no header", put("model.safetensors", b"\x10" + bytes(7) + b"x" * 40), "its header cannot be read", "download this file again")
fails("pickle pointer", lambda folder: (without("model.safetensors")(folder), put("pytorch_model.bin", LFS)(folder)), "pytorch_model.bin is a Git LFS pointer", "git lfs pull")
fails("other name", lambda folder: (folder / "model.safetensors").rename(folder / "w.safetensors"), "there is w.safetensors", "rename it")
fails("no index", lambda folder: (folder / "model.safetensors").rename(folder / SHARD), "index.json is missing", "download the folder again")
fails("shard missing", in_two({"a": SHARD, "b": "model-00002-of-00002.safetensors"}), "model-00002-of-00002.safetensors is missing, of 2 files", "download the folder again")
fails("shard without tensor", in_two({"model.layers.9.x.weight": SHARD}), "does not have model.layers.9.x.weight", "download the folder again")
fails("index damaged", lambda folder: (in_two({})(folder), put("model.safetensors.index.json", "{")(folder)), "index.json is not valid JSON", "download this file again")
fails("another config", config(vocab_size=32000), "no tensor has the vocab_size of config.json, 32000", "of one model")
# The tokenizer
fails("no tokenizer", without("tokenizer.json", "tokenizer_config.json"), "it has no tokenizer", "copy tokenizer.json")
fails("tokenizer damaged", put("tokenizer.json", '{"model": '), "tokenizer.json is not valid JSON", "download this file again")
fails("tokenizer pointer", put("tokenizer.json", LFS), "tokenizer.json is a Git LFS pointer", "git lfs pull")
fails("bigger tokenizer", lambda folder: change(folder / "tokenizer.json", model={"type": "BPE", "vocab": {"a": 0, "b": 5000}, "merges": []}), "up to id 5000, the model has 258", "the same model")
fails("pad id beyond", config(pad_token_id=300), "pad_token_id=300 is beyond", "below 258")
fails("end id beyond", config(eos_token_id=[257, 258]), "eos_token_id=258 is beyond", "below 258")
fails("end unknown", tokenizer(eos_token="</s>"), "its end token </s> is not in tokenizer.json", 'set "eos_token"')
fails("tokenizer of no use", put("tokenizer.json", "{}"), "tokenizer.json is no tokenizer", "copy tokenizer.json")
fails("no end", no_end, "no end token is named", 'set "eos_token" in tokenizer_config.json')
fails("no template", without("chat_template.jinja"), "no chat template", "model.template=plain")
fails("template elsewhere", lambda folder: (folder / "chat_template.jinja").rename(folder / "chat_template.json"), "no chat template", "into chat_template.jinja")
fails("template damaged", put("chat_template.jinja", "{% for m in messages %}{{ m"), "chat_template.jinja is not valid Jinja: line 1", "model.template=plain")
fails("template refuses", put("chat_template.jinja", "{{ raise_exception('a system turn first') }}"), "a system turn first", "model.template=plain")
fails("template deaf", put("chat_template.jinja", "Hello."), "leaves the question out", "model.template=plain")
# Settings that the model does not suit
fails("targets misspelt", nothing, "no layer of the model has this name (got q_prj)", "did you mean q_proj", "adapter.targets=[q_prj,v_proj] model.path={folder}")
fails("targets of another", nothing, "(got c_attn)", "all-linear", "adapter.targets=[c_attn] model.path={folder}")
fails("target as a text", nothing, "(got q_proj)", "adapter.targets=[q_proj]", "adapter.targets=q_proj model.path={folder}")
fails("pattern", nothing, "(got .*prj)", "all-linear", "adapter.targets='.*prj' model.path={folder}")
fails("a container", nothing, "holds layers, and is none itself (got mlp)", "down_proj, gate_proj, up_proj", "adapter.targets=[mlp] model.path={folder}")
fails("a norm", nothing, "has no matrix to adapt (got input_layernorm)", "all-linear", "adapter.targets=[input_layernorm] model.path={folder}")
fails("no targets", nothing, "adapter.targets: must", "all-linear", "adapter.targets=[]")
fails("no pattern", nothing, "adapter.targets: must be a list, or a regular expression", "all-linear", "adapter.targets='['")
fails("embedded targets", lambda folder: embedded_folder(), "(got qproj)", "q_proj", "adapter.targets=[qproj]")
fails("rank", nothing, "larger than the model's width, 16 (got 64)", "adapter.rank=16", "adapter.rank=64 model.path={folder}")
fails("alpha", nothing, "adapter.alpha: must be above 0 (got 0)", "", "adapter.alpha=0")
fails("device", nothing, "trainer.device: must be one of", "CUDA_VISIBLE_DEVICES=1", "trainer.device='cuda:1'")
fails("no CUDA", nothing, "trainer.device: ", "trainer.device=auto", "trainer.device=cuda")
fails("mps", nothing, "trainer.device: only a Mac has mps", "trainer.device=auto", "trainer.device=mps")
fails("lr", nothing, "lr: must be", "lr=1e-4", "lr=0")
fails("seed", nothing, "seed: must be a whole number from 0 to 4294967295", "", "seed=99999999999")
fails("epochs", nothing, "epochs: must be a whole number from 1 to 100000", "", "epochs=99999999999")
fails("betas", nothing, "optimizer.betas: must be at least 0 and below 1", "", "optimizer.betas=[2,3]")
fails("NaN", nothing, "lr: must be", "lr=1e-4", "lr=nan")
# fmt: on


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_refused_by_check(name, tmp_path, capsys, monkeypatch):
    mutation, words, what, fix = FAILURES[name]
    folder = write_model(tmp_path / "tiny")
    mutation(folder)
    document = tmp_path / "rules.md"
    document.write_text("The club opens at 9.")
    given = words.format(folder=folder).split()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("byheart.training.hardware.built_for_cuda", lambda: False)
    monkeypatch.setattr("byheart.training.hardware.sys.platform", "linux")

    code = main(["check", f"documents={document}", *given])

    said = capsys.readouterr().err
    assert code == 2
    assert what in said
    assert fix.format(folder=folder) in said
    assert f"  {given[0].partition('=')[0]}: " in said


def test_check_reads_a_model_folder_without_torch(tmp_path):
    folder = write_model(tmp_path / "tiny")
    document = tmp_path / "rules.md"
    document.write_text("The club opens at 9.")
    words = ["check", f"documents={document}", f"model.path={folder}", "adapter.targets=[q_proj,lm_head]"]
    code = "import sys; from byheart.cli import main; code = main(sys.argv[1:]); print(code, {'torch', 'transformers'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "0 set()"


@pytest.mark.parametrize(
    "targets",
    ["all-linear", ["q_proj", "v_proj"], ["lm_head"], ["embed_tokens"], ["self_attn.q_proj"], ["layers.1.mlp.up_proj"]],
)
def test_targets_that_a_model_has_pass(targets, tmp_path):
    folder = read_folder(write_model(tmp_path / "tiny"))
    adapter = Lora(targets=targets if isinstance(targets, str) else tuple(targets))
    assert list(adapter_problems(folder, adapter)) == []


def test_a_hub_id_may_resemble_a_local_folder(tmp_path, monkeypatch):
    """The folder owner/tiny-1b is here, the hub model owner/tiny-2b is not: it may be downloaded."""
    write_model(tmp_path / "owner/tiny-1b")
    monkeypatch.chdir(tmp_path)
    assert BaseModel("owner/tiny-2b").problems() == []


def test_a_hub_model_is_read_from_the_cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    base = BaseModel("owner/tiny")
    assert "not in the cache of the hub" in base.problems()[0].what
    home = tmp_path / "hub/models--owner--tiny"
    folder = write_model(home / "snapshots/abc")
    (home / "refs").mkdir()
    (home / "refs/main").write_text("abc")
    assert base.problems() == []
    assert "model.layers.0.mlp.up_proj.weight" in base.files().shapes
    without("chat_template.jinja")(folder)
    assert "no chat template" in base.problems()[0].what
    without("model.safetensors")(folder)
    assert "there are no weights" in base.problems()[0].what
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert base.problems() == []  # the rest will be downloaded
