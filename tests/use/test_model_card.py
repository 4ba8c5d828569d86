"""The model card of an adapter: what its front matter says, that its lines work, and that nothing in it is of this machine."""

import json
import re
import shutil

import pytest
import yaml

import zoo
from byheart.model import embedded
from byheart.model.adapters.adapter import Lora
from byheart.model.adapters.attaching import load_adapter
from byheart.model.adapters.naming import name_base
from byheart.report.loading import Saved
from byheart.store import read_json, read_records
from byheart.use.asking import open_run
from byheart.use.find_run import trained_run

QUESTION, ANSWER = "Otto was born in the town of what ?", "in the town of Graz"


def card(run):
    text = (run / "adapter/README.md").read_text()
    matter, _, body = text.removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(matter), body


def blocks(body, language):
    return re.findall(rf"```{language}\n(.*?)```", body, re.DOTALL)


@pytest.mark.parametrize(("name", "library"), [("lora", "peft"), ("full", "transformers")])
def test_it_says_what_was_taught_and_what_was_measured(here, name, library):
    run = here / f"outputs/{name}/1"
    matter, body = card(run)
    assert matter == {"library_name": library, "pipeline_tag": "text-generation", "language": ["en"],
                      "tags": ["byheart", *(["lora"] if name == "lora" else []), "closed-book-qa"]}  # fmt: skip
    scores = read_json(run / "scores.json")
    cells = [scores[model]["contains"] for model in ("untuned", "open_book", "tuned")]
    row = " | ".join(f"{at['value']:.2f} ({at['low']:.2f} to {at['high']:.2f})" for at in cells)
    assert f"| contains the answer | {row} | 6 |" in body
    assert "| A | `a.txt` |" in body and "trained on 12 questions and answers" in body
    assert str(here) not in body and "/root" not in body and "/tmp" not in body
    headings = re.findall(r"^## (.*)", body, re.MULTILINE)
    assert headings == ["What it was taught", "Scores", "How to load it", "Training", "Limits"]


@pytest.mark.parametrize("name", ["lora", "full"])
def test_its_lines_of_python_print_the_answer_and_merge_the_model(here, tmp_path, monkeypatch, capsys, name):
    shutil.copytree(here / f"outputs/{name}/1/adapter", tmp_path / "adapter")
    monkeypatch.chdir(tmp_path / "adapter")
    _, body = card(tmp_path)
    python = blocks(body, "python")
    exec("\n".join(python), {})
    asked = re.search(r'"content": (["\'].*["\'])\}', python[0])[1].strip("'\"")
    answers = {row["question"]: row["tuned"] for row in read_records(here / f"outputs/{name}/1/answers.jsonl")}
    assert capsys.readouterr().out.strip() == answers[asked]
    if name == "lora":
        from transformers import AutoModelForCausalLM

        merged = AutoModelForCausalLM.from_pretrained("merged").state_dict()
        monkeypatch.chdir(here)
        base = open_run(trained_run("lora")).tuned.model.get_base_model().state_dict()
        changed = "model.layers.0.self_attn.q_proj"
        assert not merged[f"{changed}.weight"].equal(base[f"{changed}.base_layer.weight"])


def test_the_line_for_vllm_names_the_base_the_revision_and_a_rank_that_it_takes():
    saved = Saved("handbook", "me/tiny", True, {"r": 20, "revision": "abc"}, QUESTION)
    assert saved.ways()[-1].lines == (
        'vllm serve me/tiny --revision abc --enable-lora \\\n  --lora-modules handbook="$PWD" --max-lora-rank 32'
    )
    dora = Saved("handbook", "me/tiny", True, {"r": 16, "use_dora": True}, QUESTION).ways()[-1]
    assert "DoRA" in dora.about and dora.lines == 'vllm serve "$PWD/merged"'
    own = Saved("handbook", "me/tiny", True, {"r": 16}, QUESTION, own_template=True).ways()[-1]
    assert '--chat-template "$PWD/chat_template.jinja"' in own.lines


@pytest.mark.parametrize(
    ("path", "revision"),
    [("hub/models--me--tiny--small/snapshots/abc123", "abc123"), ("folder", None), ("me/tiny--small", None)],
)
def test_an_adapter_names_the_hub_and_not_a_folder_of_its_cache(tmp_path, monkeypatch, path, revision):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    base = path if path.startswith("me/") else str(tmp_path / path)
    if base != path:
        (tmp_path / path).mkdir(parents=True)
    settings = {"base_model_name_or_path": base, "revision": None, "r": 4}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    (tmp_path / "README.md").write_text("[More Information Needed]")
    name_base(tmp_path)
    named = base if path == "folder" else "me/tiny--small"
    assert read_json(tmp_path / "adapter_config.json") == settings | {"base_model_name_or_path": named, "revision": revision}  # fmt: skip
    assert not (tmp_path / "README.md").exists()


def test_the_embedded_model_is_named_by_its_hub_id(tmp_path):
    settings = {"base_model_name_or_path": str(embedded.embedded_folder().absolute()), "revision": None}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    name_base(tmp_path)
    assert (
        read_json(tmp_path / "adapter_config.json")["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    )


def test_loading_an_adapter_asks_no_hub_for_its_base(tmp_path, monkeypatch):
    Lora(rank=2).save(Lora(rank=2).attach(zoo.build("llama")), str(tmp_path))
    settings = read_json(tmp_path / "adapter_config.json") | {"base_model_name_or_path": "me/tiny"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    asked = []
    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *words: asked.append(words))
    load_adapter(zoo.build("llama"), tmp_path)
    assert not asked
