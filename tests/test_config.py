"""What a user types reaches the plan as it was meant; all that is wrong is said at once; no secret and no foreign code."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from byheart.config.compose import Composer, read_request, run_name
from byheart.config.folders import conf_folder, sweeps_folder
from byheart.config.quoting import quote_overrides, quoted
from byheart.config.schema import type_problem
from byheart.config.trust import foreign_targets, is_own_class
from byheart.dispatch import check
from byheart.errors import UserError

NASTY = [
    "my file [v2], final=1.txt",
    'it\'s "quoted".txt',
    "${name}.txt",
    "a\\${b}.txt",
    "中文 übung.txt",
    "2024",
    "null",
    "true",
    "f(1).txt",
    "{a,b}.txt",
    "a:b.txt",
    "#x.txt",
    "-dash.txt",
    "100%.txt",
    "end\\",
]
ONE_CHOICE = ("model", "teacher", "split", "adapter", "optimizer", "trainer")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The ball is round. A player may kick it.\n")


def run_config(*words):
    return check(read_request(words))[0][0]


def arrives(word):
    (override,) = OverridesParser.create().parse_overrides(quote_overrides([word]))
    return OmegaConf.to_container(OmegaConf.create({"value": override.value()}), resolve=True)["value"]


def problems(*words):
    with pytest.raises(UserError) as caught:
        check(read_request(words))
    return {problem.where: problem for problem in caught.value.problems}


@pytest.mark.parametrize("name", NASTY)
def test_file_names_arrive_as_typed(name):
    Path(name).mkdir()
    Path(name, "b.txt").write_text("Another ball is round.\n")
    assert arrives(f"documents={name}") == name
    assert arrives(f"documents={quoted(name)}") == name
    assert arrives(f"documents=a.txt,{name}") == ["a.txt", name]
    assert arrives(f"documents=[a.txt,{name}]") == ["a.txt", name]
    assert arrives(f"model.path={name}") == name


def test_a_nasty_name_gets_through_the_whole_way():
    Path(NASTY[0]).write_text("The ball is round.\n")
    assert run_config(f"documents={NASTY[0]}").documents == (NASTY[0],)


def test_a_missing_name_is_reported_not_parsed():
    assert problems("documents=gone [v2], x=1.txt")["documents"].value == "gone [v2], x=1.txt"
    assert problems("documents=a.txt,gone.txt")["documents"].value == "gone.txt"


def test_commas_split_a_run_but_sweep_a_multirun():
    Path("b c.txt").write_text("The ball is round.\n")
    assert run_config("documents=a.txt,b c.txt").documents == ("a.txt", "b c.txt")
    run_configs, _, multirun, _ = check(read_request(["-m", "documents=a.txt,b c.txt"]))
    assert multirun and [each.documents for each in run_configs] == [("a.txt",), ("b c.txt",)]


def test_paths_with_an_equals_sign_are_swept():
    for name in ("b=1.txt", "b=2.txt"):
        Path(name).write_text("The ball is round.\n")
    run_configs, *_ = check(read_request(["-m", "documents=b=1.txt,b=2.txt"]))
    assert [each.documents for each in run_configs] == [("b=1.txt",), ("b=2.txt",)]


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert run_config("documents=~/a.txt").documents == (str(Path.cwd() / "a.txt"),)


def test_names_and_numbers():
    assert run_config("documents=a.txt").name == "a"
    assert run_config("documents=a.txt", "name=my run (2)").name == "my run (2)"
    assert run_config("documents=a.txt", "name=2024").name == "2024"
    assert "name" in problems("documents=a.txt", "name=../up")
    assert run_name(None, ["docs/*.pdf"]) == "docs" and run_name(None, None) == "run"
    assert quote_overrides(["lr=1e-3", "expansion=[rules]", "+x"]) == ["lr=1e-3", "expansion=[rules]", "+x"]


def test_all_faults_at_once():
    found = problems(
        "lr=-1", "batch_size=0", "epochs=two", "schedule=fast", "lrr=3", "adapter=loar", "expansion=[rules,fil]",
        "chunks.max_tokens=abc", "rows.loss_on=x", "+optimizer.foo=1", "evaluation.recall.max_new_tokens=0",
        "patience=2", "documents=gone.txt", "word", "model.path=/no/such/model",
    )  # fmt: skip
    assert set(found) == {
        "lr", "batch_size", "epochs", "schedule", "lrr", "adapter", "expansion", "chunks.max_tokens", "rows.loss_on",
        "optimizer.foo", "evaluation.recall.max_new_tokens", "patience", "documents", "", "model.path", "expansion.file.path",
    }  # fmt: skip
    assert "did you mean lr=3?" in found["lrr"].fix
    assert "did you mean lora?" in found["adapter"].fix
    assert "stopping.patience" in found["patience"].fix
    assert found["batch_size"].value == "0"
    assert found["rows.loss_on"].value == "x"


def test_a_slip_in_a_known_key_is_no_secret():
    for word in ("rows.max_token=12", "+rows.max_token=12"):
        assert "rows.max_tokens" in problems("documents=a.txt", word)["rows.max_token"].fix
    assert "password" in problems("documents=a.txt", "rows.token=12")["rows.token"].what


WRONG = {"documents": "gone.txt", "lr": "-1", "batch_sise": "2", "rows.replay": "7", "name": "../up"}


@pytest.mark.parametrize(
    "word",
    [
        "+model.api_key=hunter2",  # a secret
        "questions=https://me:hunter2@host/q.jsonl",
        "adapter=loar",  # an unknown option
        "teacher=opeani",
        "adapter=[lora,dora]",  # two of a group that takes one
        "'broken",  # cannot be read
        "rows.max_tokens=${nothing}",
        "run=x",
    ],
)
def test_one_fault_hides_no_other(word):
    found = problems(word, *(f"{key}={value}" for key, value in WRONG.items()))
    assert set(WRONG) < set(found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "flags", [["-cd", "gone"], ["-cd", "gone", "-cn", "mine"], ["-cd", "mine", "-cn", "broken"], ["-cn", "gone"]]
)
def test_a_config_that_cannot_be_composed_hides_no_fault_of_the_overrides(flags):
    Path("mine").mkdir()
    Path("mine/broken.yaml").write_text("a: [1\n")
    found = problems(*flags, *(f"{key}={value}" for key, value in WRONG.items()))
    assert set(WRONG) < set(found)
    assert "questions" not in found and len(found) == len(WRONG) + 1


def test_foreign_code_hides_no_fault():
    Path("mine").mkdir()
    Path("mine/evil.yaml").write_text("defaults: [learn, _self_]\nadapter: {_target_: os.mkdir, path: pwned}\n")
    found = problems("-cd", "mine", "-cn", "evil", *(f"{key}={value}" for key, value in WRONG.items()))
    assert {*WRONG, "adapter._target_"} == set(found) and not Path("pwned").exists()


def test_each_wrong_option_of_a_list_is_told_and_their_own_keys_are_checked():
    with pytest.raises(UserError) as caught:
        words = ["documents=a.txt", "expansion=[rulse,lader]", "expansion.ladder.rungs=0", "teacher=opeani"]
        check(read_request([*words, "teacher.model=x", "teacher.base_url=http://localhost:1/v1"]))
    assert [(each.where, each.value) for each in caught.value.problems] == [
        ("expansion", "rulse"), ("expansion", "lader"), ("teacher", "opeani"), ("expansion.ladder.rungs", "0"),
    ]  # fmt: skip


def test_several_options_of_a_group_that_takes_one_are_refused():
    for words, where, fix in (
        (["adapter=[lora,dora]"], "adapter", "adapter=lora, or a run for each: -m adapter=lora,dora"),
        (["-m", "adapter=[dora,lora],full"], "adapter", "adapter=dora, or a run for each: -m adapter=dora,lora"),
        (["hydra/launcher=[packed,basic]"], "hydra/launcher", "hydra/launcher=packed"),
    ):
        assert problems("documents=a.txt", *words)[where].fix == fix
    assert run_config("documents=a.txt", "adapter=[lora]", "evaluation=[recall,choice]").adapter.title == "LoRA"


def test_a_wrong_flag_of_hydra_is_a_problem_not_a_usage_page():
    with pytest.raises(UserError, match="--cfg"):
        read_request(["--cfg", "foo"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate=1", "lr"),
        ("document=x", "documents"),
        ("batchsize=1", "batch_size"),
        ("rank=4", "adapter.rank"),
        ("stoping.patience=1", "stopping.patience"),
        ("expansion.file.path=x", "expansion=[...,file]"),
        ("hydra.run.dri=x", "hydra.run.dir"),
    ],
)
def test_did_you_mean(word, meant):
    key = word.partition("=")[0]
    assert meant in problems("documents=a.txt", word)[key].fix


@pytest.mark.parametrize(
    "word",
    ["batch_size=true", "batch_size=1.5", "lr=nan", "lr=inf", "dev=1", "seed=x", "estimate=2", "questions=[a,b]"],
)
def test_wrong_types_and_ranges(word):
    assert word.partition("=")[0] in problems("documents=a.txt", word)


def test_a_launcher_that_is_not_installed_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(Composer, "options", lambda self, group: ["basic", "packed"])
    found = problems("documents=a.txt", "--multirun", "lr=1,2", "hydra/launcher=joblib")["hydra/launcher"]
    assert "pip install hydra-joblib-launcher" in found.fix and "packed" in found.fix


def test_no_documents_says_what_to_do():
    assert "documents=handbook.pdf" in problems()["documents"].fix


def test_a_needed_field_is_asked_for():
    assert "expansion.file.path=" in problems("documents=a.txt", "expansion=file")["expansion.file.path"].fix


def test_muon_is_refused_for_embeddings():
    assert "adapter=lora" in problems("documents=a.txt", "optimizer=muon", "adapter=full")["optimizer"].fix


def test_a_list_without_multirun():
    assert "--multirun" in problems("documents=a.txt", "lr=1,2")["lr"].fix


def test_every_value_of_a_sweep_is_looked_at():
    assert set(problems("-m", "documents=a.txt", "lr=1e-3,-1", "batch_size=1,0", "adapter=lora,fulll")) == {
        "lr", "batch_size", "adapter",
    }  # fmt: skip


@pytest.mark.parametrize(
    "word",
    [
        "questions=https://me:hunter2@host/q.jsonl",
        "name=sk-abcdefghijklmnopqrstuvwx",
        "+model.api_key=abc",
        "+hydra.job.env_set.OPENAI_API_KEY=abc",
        "questions=https://host/q?api_key=hunter2",
    ],
)
def test_credentials_are_refused_and_not_repeated(word, tmp_path):
    with pytest.raises(UserError) as caught:
        check(read_request(["documents=a.txt", word]))
    assert "hunter2" not in str(caught.value) and "abcdef" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]


def test_a_secret_from_the_environment_would_be_saved_too(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "abc")
    assert "hydra.job.env_set.OPENAI_API_KEY" in problems("documents=a.txt", "hydra.job.env_copy=[OPENAI_API_KEY]")


@pytest.mark.parametrize(
    ("target", "trusted"),
    [
        ("byheart.data.split.Forms", True),
        ("optuna.samplers.TPESampler", True),
        ("torch.optim.AdamW", True),
        ("hydra_plugins.byheart_sweeper.sweeper.Sweeper", True),
        ("os.system", False),
        ("byheart.store.os.system", False),
        ("byheart.store.Path", False),
        ("byheart.store.write_json", False),
        ("torch.load", False),
        ("torch.optim.adamw.torch.load", False),
        ("builtins.eval", False),
    ],
)
def test_only_trusted_code_is_run(target, trusted):
    assert (not foreign_targets({"x": {"_target_": target}})) == trusted


def test_a_foreign_target_is_never_called(tmp_path):
    Path("mine").mkdir()
    Path("mine/evil.yaml").write_text(
        "defaults: [learn, _self_]\nadapter: {_target_: os.mkdir, path: pwned}\ndocuments: a.txt\n"
    )
    assert "adapter._target_" in problems("-cd", "mine", "-cn", "evil")
    assert not Path("pwned").exists()
    assert is_own_class("byheart.data.split.Forms")


def test_a_users_config_folder():
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/tiny.yaml").write_text("_target_: byheart.model.base_model.BaseModel\npath: smollm2_135m\n")
    Path("mine/short.yaml").write_text(
        "defaults: [learn, {override model: tiny}, _self_]\ndocuments: a.txt\nepochs: 2\n"
    )
    made = run_config("-cd", "mine", "-cn", "short", "lr=1e-2")
    assert (made.epochs, made.lr, made.model.hub_id) == (2, 0.01, None)
    Path("mine/documents").mkdir()
    assert "documents" in problems("-cd", "mine", "-cn", "short")["--config-dir"].what
    Path("mine/documents").rmdir()
    Path("mine/short.yaml").write_text("defaults: [learn, _self_]\ndocuments: a.txt\nbath_size: 2\n")
    assert "batch_size" in problems("-cd", "mine", "-cn", "short")["bath_size"].fix
    assert "short" in problems("-cd", "mine", "-cn", "shor")["--config-name"].fix
    Path("mine/learn.yaml").write_text("documents: a.txt\n")
    assert "hides yours" in problems("-cd", "mine")["--config-dir"].what
    Path("mine/learn.yaml").unlink()
    Path("mine/short.yaml").write_text("a: [1\n")
    assert "short.yaml" in problems("-cd", "mine", "-cn", "short")


def test_a_folder_that_is_not_there():
    assert "--config-dir" in problems("-cd", "nowhere")


def options():
    for group in ONE_CHOICE:
        yield from (f"{group}={path.stem}" for path in sorted((conf_folder() / group).glob("*.yaml")))
    for group in ("expansion", "evaluation"):
        for path in sorted((conf_folder() / group).glob("*.yaml")):
            yield f"{group}=[{path.stem}]"


@pytest.mark.parametrize("option", options())
def test_every_shipped_option_builds(option, monkeypatch):
    monkeypatch.setattr(
        "byheart.training.optimizer_choices.missing_package", lambda package, where, value: []
    )  # need not be installed
    Path("pairs.jsonl").write_text('{"question": "What is round?", "answer": "the ball"}\n')
    extra = ["expansion.file.path=pairs.jsonl"] if "[file]" in option else []
    if any(f"[{asking}]" in option for asking in ("ladder", "angles", "rewrites")):
        extra = ["teacher=openai"]
    if "[judge]" in option:
        extra = ["evaluation.judge.model=toy", "evaluation.judge.base_url=http://localhost:8000/v1"]
    if {"teacher=openai", "teacher=batch"} & {option, *extra}:
        extra += ["teacher.model=toy", "teacher.base_url=http://localhost:8000/v1"]
    assert run_config("documents=a.txt", option, *extra)


@pytest.mark.parametrize("name", sorted(path.stem for path in sweeps_folder().glob("*.yaml")))
def test_every_shipped_sweep_composes(name):
    Path("exam.jsonl").write_text("".join(f'{{"question": "What is {n}?", "answers": ["{n}"]}}\n' for n in range(4)))
    needed = ["questions=exam.jsonl", "dev=0.5"] if name == "expansion" else []
    assert run_config("-cd", str(sweeps_folder()), "-cn", name, "documents=a.txt", *needed)


def test_every_shipped_group_is_in_the_cast_or_can_be_added():
    composer = Composer()
    assert set(ONE_CHOICE) | {"expansion", "evaluation"} <= set(composer.groups)
    config = OmegaConf.to_container(composer.compose("learn"), resolve=False)
    assert config["optimizer"]["lr"] == "${lr}"


def test_shipped_defaults_are_the_classes_defaults():
    """One truth: a class built in Python without settings is the one that the command line builds without settings."""
    made = run_config("documents=a.txt")
    for name in ("chunks", "rows", "stopping", "split", "adapter", "trainer"):
        assert getattr(made, name) == type(getattr(made, name))(), name
    assert made.optimizer == type(made.optimizer)(lr=made.lr)  # optimizer.lr is ${lr}


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, 1, True),
        (int | None, None, "x"),
        (float, 1, "1"),
        (str, "x", 1),
        (tuple[str, ...], ["a"], "a"),
        (tuple[float, float], [1, 2], [1]),
        (str | tuple[str, ...], ["a"], 3),
        (dict[str, int], {}, []),
    ],
)
def test_types(hint, good, bad):
    assert not type_problem(hint, good) and type_problem(hint, bad)
