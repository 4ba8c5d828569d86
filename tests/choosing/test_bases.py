"""`byheart bases`: which base is recommended, what is said of those that cannot be used, and that nothing is computed twice."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import byheart
from byheart import cli
from byheart.candidates import read_bases
from byheart.choosing import measure as measuring
from byheart.choosing.measure import Texts
from byheart.choosing.page import render
from byheart.choosing.records import AFTER, CLOSED, OPEN, BasesResult, Measured
from byheart.choosing.verdict import verdict
from byheart.errors import UserError
from byheart.model.base_model import BaseModel
from byheart.progress import StageBegan
from byheart.records import Value
from byheart.results import Needs, RunEstimate
from byheart.store import read_json
from sweep.toy import furnished, make_model
from tiny_folder import change

TOWNS = {"Ada": "Bern", "Otto": "Graz", "Mia": "Lyon", "Karl": "Bonn", "Nora": "Oslo", "Emil": "Rome"}
WORDS = (
    "documents=a.txt", "questions=exam.jsonl", "evaluation=[recall]", "evaluation.recall.max_new_tokens=4",
    "adapter.rank=2", "trainer.precision=float32", "trainer.threads=1", "expansion=file", "expansion.file.path=pairs.jsonl",
    "split.share=0", "split.at_least=0",
)  # fmt: skip


def teach(folder: Path) -> None:
    """Trains all weights of a toy on the answers of the exam."""
    import torch

    model, tokenizer = BaseModel(path=str(folder)).load("float32", "cpu")
    chat = BaseModel(path=str(folder)).chat(model, tokenizer)
    rows = [(chat.prompt(f"Where was {who} born?"), chat.answer(town)) for who, town in TOWNS.items()]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(30):
        for prompt, answer in rows:
            tokens = torch.tensor([[*prompt, *answer]])
            model(input_ids=tokens, labels=torch.tensor([[*[-100] * len(prompt), *answer]])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def bases(tmp_path_factory, toy_model):
    """A folder with a base that knows the answers, one that does not, and one whose weights are cut off."""
    folder = furnished(tmp_path_factory.mktemp("bases"), toy_model)
    shutil.copytree(toy_model, folder / "knows")
    teach(folder / "knows")
    shutil.copytree(toy_model, folder / "broken")
    weights = folder / "broken/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    shutil.copytree(toy_model, folder / "mute")
    (folder / "mute/chat_template.jinja").unlink()
    shutil.copytree(toy_model, folder / "encoder")
    change(folder / "encoder/config.json", architectures=["BertModel"], model_type="bert")
    lines = [json.dumps({"question": f"Where was {who} born?", "answers": [town]}) for who, town in TOWNS.items()]
    (folder / "exam.jsonl").write_text("\n".join(lines))
    pairs = [json.dumps({"question": f"Who was born in {town}?", "answer": who}) for who, town in TOWNS.items()]
    (folder / "pairs.jsonl").write_text("\n".join(pairs))
    return folder


@pytest.fixture
def here(bases, monkeypatch):
    monkeypatch.chdir(bases)
    return bases


@pytest.fixture(scope="module")
def shown(bases):
    """What the command prints where two bases can be used and two cannot."""
    import contextlib
    import io

    screen = io.StringIO()
    with contextlib.chdir(bases), contextlib.redirect_stdout(screen):
        assert cli.main(["bases", "models=[model,gone,broken,knows]", *WORDS, "steps=3"]) == 0
    return screen.getvalue()


def folder_of(here: Path) -> Path:
    (file,) = here.glob("outputs/bases/*/bases.json")
    return file.parent


def test_the_base_that_knows_is_first_and_those_that_cannot_be_used_say_why(here, shown):
    found = read_json(folder_of(here) / "bases.json")
    assert [base["name"] for base in found["bases"]] == ["knows", "model", "gone", "broken"]
    knows, model, gone, broken = found["bases"]
    assert knows["scores"][CLOSED]["value"] == 1 and model["scores"][CLOSED]["value"] == 0
    assert set(knows["scores"]) == {CLOSED, OPEN, AFTER} and knows["scores"][AFTER]["count"] == len(TOWNS)
    assert knows["probability"]["value"] > 0.3 > 0.1 > model["probability"]["value"]
    assert knows["tokens"] == model["tokens"] > 100 and knows["writing"] > 0 and knows["training"] > 0
    assert "no such model folder" in gone["reason"] and "cut off" in broken["reason"]
    assert found["recommended"] == "knows" and "points against model" in found["sentence"]
    said = " ".join(shown.split())
    assert (
        " ".join(found["sentence"].split()) in said
        and "✗ gone: there is no such model folder" in said
        and "✗ broken:" in said
    )
    assert all(len(line) <= 80 for line in shown.splitlines() if "byheart learn" not in line)


def test_the_line_to_copy_is_one_that_can_be_run(here, shown, capsys):
    line = next(line for line in shown.splitlines() if line.strip().startswith("byheart learn"))
    _, _, *words = shlex.split(line)
    assert words[0] == "model.path=knows" and "steps=3" not in words
    assert cli.main(["check", *words]) == 0
    assert "ready" in capsys.readouterr().out


def test_the_page_opens_without_a_network_and_has_every_base(here, shown):
    page = (folder_of(here) / "report.html").read_text()
    assert "<script" not in page and not re.search(r"(src|href)=\"(?!#)", page)
    assert all(f">{name}<" in page for name in ("knows", "gone", "broken")) and "byheart learn model.path=knows" in page
    assert page.count('<tr class="best">') == 1 and "after 3 steps" in page


def test_the_same_command_again_measures_nothing_and_a_further_base_alone(here, shown):
    stages = []

    def listen(event):
        stages.extend([event.name] if isinstance(event, StageBegan) else [])

    before = folder_of(here)
    again = byheart.bases(["model", "gone", "broken", "knows"], *WORDS, steps=3, progress=listen)
    assert stages == [] and again.folder.absolute() == before and again.recommended == "knows"
    make_model(here / "third", seed=3)
    more = byheart.bases(["knows", "third"], *WORDS, steps=3, progress=listen)
    assert stages.count("training") == 1 and more.folder.absolute() != before
    assert {base.name for base in more.bases} == {"knows", "third"}
    shutil.rmtree(more.folder)


def test_a_command_that_was_stopped_goes_on(here, shown):
    """Stopped while the second base is scored: what was computed is not computed again."""
    stages = []

    def until(last):
        def listen(event):
            if isinstance(event, StageBegan):
                stages.append(event.name)
                if stages == last:
                    raise KeyboardInterrupt

        return listen

    others = [word for word in WORDS if not word.startswith("evaluation")]
    words = (*others, "hydra.run.dir=stopped", "evaluation=[forgetting]")  # what decides is asked all the same
    one = ["model", "score_untuned", "score_open_book", "speed"]
    first = ["documents", "expansion", "split", *one, *one[:3]]
    with pytest.raises(KeyboardInterrupt):
        byheart.bases(["knows", "model"], *words, steps=0, progress=until(first))
    stages.clear()
    result = byheart.bases(["knows", "model"], *words, steps=0, progress=until([]))
    assert stages == ["model", "score_open_book", "speed"]
    assert result.recommended == "knows" and "without training" in result.sentence
    assert result.bases[0].training is None and AFTER not in result.bases[0].right


def test_a_base_that_does_not_fit_into_memory_is_not_loaded(here, tmp_path, monkeypatch):
    plan = read_bases(["models=[model]", *WORDS])
    needs = RunEstimate(needs=Needs(1, memory=2**40, free=2**30))
    monkeypatch.setattr(measuring, "estimate_of", lambda *given: needs)
    texts = Texts(None, (), 1)
    found = measuring.measure(plan.candidates[0], texts, tmp_path, "key", lambda event: None, None)
    assert found.reason == "it needs about 1024.0 GiB of memory, and 1.0 are free" and "smaller" in found.fix


def test_an_estimate_trains_nothing(here, shown, capsys):
    assert cli.main(["bases", "models=[model,gone]", *WORDS, "estimate=true"]) == 0
    said = capsys.readouterr().out
    assert "no such model folder" in said and "GiB" in said and "for 1 base" in said
    assert "byheart bases 'models=[model,gone]'" in said and "estimate=true" not in said.split("Start it:")[1]
    assert len([*here.glob("outputs/bases/*")]) == 1


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("documents=a.txt", ["models: which bases", "models=[smollm2_135m"]),
        (
            "models=[smollm2_135,broken,mute,encoder] documents=a.txt",
            ["did you mean smollm2_135m", "cut off", "no chat template", "both directions"],
        ),
        ("model=[model,knows] documents=a.txt -m", ["models=[model,knows]", "byheart sweep"]),
        (
            "models=[model] documents=none.txt steps=-1 sample=0 step=5 resume=x lr=-1",
            ["none.txt", "steps: must be", "sample: must be", "did you mean steps=5?", "resume", "lr: must be"],
        ),
    ],
)
def test_wrong_arguments_are_told_at_once(here, line, answers, capsys):
    assert cli.main(["bases", *line.split()]) == 2
    said = capsys.readouterr().err
    assert all(answer in said for answer in answers), said


def test_bases_may_be_typed_without_a_key(here, capsys):
    assert cli.main(["bases", "model", "a.txt", "gone", "lr=-1", "smollm2_135m"]) == 2
    assert "gone" in capsys.readouterr().err
    plan = read_bases(["models=[model,smollm2_135m]", "documents=a.txt"])
    assert [each.setting for each in plan.candidates] == ["model.path=model", "model=smollm2_135m"]


GROUPS = {f"q{i}": f"q{i}" for i in range(40)}


def base(name: str, right: int, tokens: int = 1000, speed: float = 100.0, first: int = 0) -> Measured:
    """One that answers `right` of 40 questions rightly, from number `first` on."""
    answers = {probe: float(first <= i < first + right) for i, probe in enumerate(GROUPS)}
    both = {CLOSED: answers, OPEN: answers, AFTER: answers}
    return Measured(name, f"model.path={name}", right=both, probability=Value(0.1, 40, 0.1, 0.2), tokens=tokens,
                    writing=speed, training=speed, device="cpu", precision="float32", parameters=10)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "chosen", "said"),
    [
        ([base("a", 30), base("b", 5)], "a", "a: after 50 steps of training it is right on 75\u202f% of 40 questions"),
        (
            [base("big", 12, speed=10), base("small", 11)],
            "small",
            "small and big: no difference that these 40 questions can show (after 50 steps of training −2 points against "
            "big, −8 to +0); the cheaper is taken, small: 10 s to train on the documents once, against 2 min.",
        ),
        ([base("wordy", 12, tokens=3000), base("short", 12)], "short", "the cheaper is taken, short: 10 s"),
        ([base("a", 11), base("b", 12, speed=98)], "b", "they cost about the same (10 s"),
        ([base("a", 3), Measured("b", "", "gone")], "a", "a is the only one that can be used here; after 50 steps"),
    ],
)
def test_the_reason_says_what_the_questions_can_show(found, chosen, said):
    decided = verdict(found, GROUPS, 50)
    assert decided.chosen and decided.chosen.name == chosen
    assert said in decided.sentence, decided.sentence
    assert decided.ranked[-1].name == "b" or not found[-1].reason


def test_a_name_is_text_on_the_page():
    bad = replace(base("<b>x</b>", 3), notes=("<i>",))
    facts = {"steps": 0, "asked": 40, "of": 40, "source": "generated", "metric": "contains", "rows": 9, "documents": ["<u>"],
             "groups": GROUPS}  # fmt: skip
    page = render(BasesResult("finished", Path("x"), (bad, Measured("<s>", "", "<p>")), bad.name, "<q>", "<em>", facts))
    assert not re.search(r"<(b>x|u>|s>|q>|em>|i>)", page) and "&lt;b&gt;x" in page


def test_no_base_left_is_an_error_of_the_user(here):
    with pytest.raises(UserError) as raised:
        byheart.bases("gone", *WORDS)
    assert [problem.where for problem in raised.value.problems] == ["models"]
