"""What people type: it is understood as it was meant, or answered with a line that can be copied. No torch, no run."""

import shlex
from pathlib import Path

import pytest

from byheart import cli, commands
from byheart.config.compose import read_request
from byheart.config.keys import OTHER_NAMES, every_key, known_keys
from byheart.config.near import is_slip, near
from byheart.config.typed import read_typed
from byheart.dispatch import check
from byheart.errors import Problem
from byheart.pipeline.run_config import RunConfig

NAMES = [command.name for command in cli.COMMANDS]
TIME = "outputs/handbook/2026-01-31_09-30-00"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    for name in ("a.txt", "b.md", "my file.txt", "docs/c.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("The ball is round. A player may kick it.\n")
    Path("exam.jsonl").write_text('{"question": "What is round?", "answers": ["the ball"]}\n')
    Path(TIME, ".hydra").mkdir(parents=True)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("learn --documents a.txt", "learn documents=a.txt"),
        ("learn --documents=a.txt --epochs 3 --batch-size=4", "learn documents=a.txt epochs=3 batch_size=4"),
        ("learn -documents a.txt", "learn documents=a.txt"),
        ("learn —documents a.txt", "learn documents=a.txt"),
        ("learn -- a.txt", "learn documents=a.txt"),
        ("learn a.txt", "learn documents=a.txt"),
        ("learn a.txt b.md lr=1e-3", "learn lr=1e-3 'documents=[a.txt,b.md]'"),
        ("learn documents=a.txt b.md", "learn 'documents=[a.txt,b.md]'"),
        ("learn docs", "learn documents=docs"),
        ("learn docs/*.txt", "learn 'documents=docs/*.txt'"),
        ("learn gone.pdf", "learn documents=gone.pdf"),
        ("learn my file.txt", "learn 'documents=my file.txt'"),
        ("learn documents=my file.txt", "learn 'documents=my file.txt'"),
        ("learn documents = a.txt", "learn documents=a.txt"),
        ("learn documents= a.txt epochs =3", "learn documents=a.txt epochs=3"),
        ("learn documents: a.txt lr:3e-4", "learn documents=a.txt lr=3e-4"),
        ("learn documents a.txt lr 3e-4", "learn documents=a.txt lr=3e-4"),
        ("learn Documents=a.txt EPOCHS=3 batch-size=2", "learn documents=a.txt epochs=3 batch_size=2"),
        ("learn documents=~/a.txt", "learn 'documents=~/a.txt'"),
        ("learn documents=“a.txt”", "learn documents=a.txt"),
        ("learn ‘documents=a.txt’", "learn documents=a.txt"),
        ("""learn documents='"a.txt"'""", "learn documents=a.txt"),
        ("learn documents=[a.txt, b.md]", "learn 'documents=[a.txt,b.md]'"),
        ("learn documents=[a.txt b.md]", "learn 'documents=[a.txt,b.md]'"),
        ("learn a.txt expansion=[rules, file]", "learn 'expansion=[rules,file]' documents=a.txt"),
        ("learn a.txt -m lr=1e-4, 3e-4", "learn -m lr=1e-4,3e-4 documents=a.txt"),
        ("learn a.txt --multi-run lr=1,2", "learn --multirun lr=1,2 documents=a.txt"),
        ("learn a.txt --multirun=true lr=1,2", "learn --multirun lr=1,2 documents=a.txt"),
        ("learn a.txt multirun=true lr=1,2", "learn --multirun lr=1,2 documents=a.txt"),
        ("learn --estimate a.txt", "learn estimate=true documents=a.txt"),
        ("learn a.txt --no-estimate", "learn estimate=false documents=a.txt"),
        ("learn --model.path DIR a.txt", "learn model.path=DIR documents=a.txt"),
        ("learn --cfg job -cd conf -cn mine a.txt", "learn --cfg job -cd conf -cn mine documents=a.txt"),
        ("learn ~logger.wandb a.txt", "learn '~logger.wandb' documents=a.txt"),
        (f"learn --resume {TIME}", f"learn resume={TIME}"),
        ("learn --dry-run a.txt", "check documents=a.txt"),
        ("learn a.txt --dryrun", "check documents=a.txt"),
        ("learn a.txt dry_run=true", "check documents=a.txt"),
        ("check learn a.txt", "check documents=a.txt"),
        ("expand a.txt --dry-run", "expand documents=a.txt --dry-run"),
        ("sweep lr_ladder a.txt", "sweep lr_ladder documents=a.txt"),
        ("sweep a.txt lr_ladder --dry-run", "sweep lr_ladder documents=a.txt --dry-run"),
        ("check sweep lr_ladder a.txt", "sweep lr_ladder documents=a.txt --dry-run"),
        ("sweep mine.yaml --documents a.txt", "sweep mine.yaml documents=a.txt"),
        ("pick outputs/sweeps/x --trial 3", "pick outputs/sweeps/x trial=3"),
        ("pick outputs/sweeps/x trial 3", "pick outputs/sweeps/x trial=3"),
        ("pick outputs/sweeps/x 3", "pick outputs/sweeps/x trial=3"),
        ("bases qwen3_0_6b Qwen/Qwen3-0.6B a.txt", "bases 'models=[qwen3_0_6b,Qwen/Qwen3-0.6B]' documents=a.txt"),
        ("bases models=[smollm2_135m, x] --steps 5 a.txt", "bases 'models=[smollm2_135m,x]' steps=5 documents=a.txt"),
        (f"evaluate {TIME} exam.jsonl", f"evaluate run={TIME} questions=exam.jsonl"),
        (f"evaluate --run {TIME} --questions=exam.jsonl", f"evaluate run={TIME} questions=exam.jsonl"),
    ],
)  # fmt: skip
def test_it_is_understood(line, meant):
    command, *words = shlex.split(line)
    typed = read_typed(command, words, NAMES)
    assert not typed.problems and typed.copy == f"byheart {meant}"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("train a.txt", "byheart learn documents=a.txt"),
        ("run --documents a.txt", "byheart learn documents=a.txt"),
        ("finetune documents=a.txt", "byheart learn documents=a.txt"),
        ("fine-tune", "byheart learn documents=handbook.pdf"),
        ("lern a.txt", "byheart learn documents=a.txt"),
        ("LEARN a.txt", "byheart learn documents=a.txt"),
        ("--learn a.txt", "byheart learn documents=a.txt"),
        ("a.txt", "byheart learn documents=a.txt"),
        ("documents=a.txt", "byheart learn documents=a.txt"),
        ("documents=a.txt learn", "byheart learn documents=a.txt"),
        ("--dry-run documents=a.txt", "byheart check documents=a.txt"),
        ("validate a.txt", "byheart check documents=a.txt"),
        (f"eval {TIME}", f"byheart evaluate run={TIME}"),
        (f"resume {TIME}", f"byheart learn resume={TIME}"),
        ("generate a.txt", "byheart expand documents=a.txt"),
        ("help lern", "byheart learn --help"),
        ("compare a b", f"the commands are: {', '.join(NAMES)}"),
        ("learn sweep lr_ladder a.txt", "byheart sweep lr_ladder documents=a.txt"),
        ("learn sweep a.txt", "byheart sweep batch_lr_epochs documents=a.txt"),
        ("learn lr_ladder documents=a.txt", "byheart sweep lr_ladder documents=a.txt"),
        ("learn check a.txt", "byheart check documents=a.txt"),
        ("sweep learn a.txt", "byheart learn documents=a.txt"),
        ("sweep", "byheart sweep batch_lr_epochs documents=handbook.pdf"),
        ("sweep documents=a.txt", "byheart sweep batch_lr_epochs documents=a.txt"),
        ("sweep lr_lader documents=a.txt", "did you mean lr_ladder?"),
        ("learn 'documents=a.txt lr=1e-4'", "byheart learn documents=a.txt lr=1e-4"),
        ("learn documents=my fille.txt", "byheart learn 'documents=my fille.txt'"),
        ("learn a.txt name=my run", "byheart learn 'name=my run' documents=a.txt"),
        ("learn a.txt exam.jsonl", "byheart learn questions=exam.jsonl documents=a.txt"),
        ("learn a.txt qwen3_4b", "byheart learn model=qwen3_4b documents=a.txt"),
        ("learn a.txt expansion=rules file", "byheart learn 'expansion=[rules,file]' documents=a.txt"),
        (f"learn {TIME}", f"byheart learn resume={TIME}"),
        ("learn a.txt -e 3", "epochs=VALUE"),
        ("learn a.txt --gpu", "did you mean trainer.device=VALUE?"),
        ("learn a.txt --lora", "did you mean adapter=lora?"),
        ("learn --config mine.yaml a.txt", "--config-name"),
        ("learn a.txt --verbose", "`byheart learn --help` lists settings and flags"),
        ("learn a.txt --model", "model=VALUE"),
        ("learn a.txt stopping", "did you mean stopping=VALUE?"),
        ("learn a.txt word", "write settings as key=value"),
        ("learn https://example.org/a.pdf", "save the page or the PDF first"),
        ("learn a.txt --docs b.md", "did you mean documents=b.md?"),
        ("learn a.txt --learning-rate 1e-4", "did you mean lr=1e-4?"),
        ("learn a.txt lora_rank=8", "did you mean adapter.rank=8?"),
        ("learn a.txt adapter=LoRA", "did you mean lora?"),
        ("learn a.txt model=Qwen/Qwen3-4B", "model.path=Qwen/Qwen3-4B"),
        ("expand a.txt teacher=gpt-4o", "teacher=openai teacher.model=gpt-4o"),
        ("learn a.txt lr=0,001", "lr=0.001"),
        ("learn a.txt expansion=rules,file", "expansion=[rules,file]"),
        ("learn a.txt rows.max_token=12", "did you mean rows.max_tokens=12?"),
        ("learn a.txt --cfg foo", "--cfg"),
        ("evaluate", "byheart evaluate run=outputs/NAME/TIME"),
        ("evaluate handbook", f"did you mean {TIME}?"),
        ("evaluate run=x --dry-run", "`byheart check`"),
        ("pick", "byheart pick outputs/sweeps/NAME"),
        ("cache --prune", "prune=30d"),
        ("cache list", "byheart cache [export"),
        ("learn a.txt run=x", "byheart evaluate run=DIR"),
    ],
)  # fmt: skip
def test_it_is_answered_with_what_to_type(line, answer, capsys):
    assert cli.main(shlex.split(line)) == 2
    assert answer in capsys.readouterr().err


def test_one_fault_of_typing_hides_no_other(capsys):
    assert cli.main(["learn", "gone.txt", "lora", "--foo", "lr=-1", "bach_size=2"]) == 2
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("adapter=lora", "--foo", "gone.txt", "lr: must be", "batch_size=2"))


def test_a_dry_run_starts_nothing_and_tells_how_to_start(capsys):
    assert cli.main(["learn", "a.txt", "--dry-run", "epochs", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "read as: byheart check epochs=3 documents=a.txt\n"
    assert captured.out.splitlines()[-1].strip() == "byheart learn epochs=3 documents=a.txt"
    assert cli.main(["sweep", "lr_ladder", "a.txt", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].strip() == "byheart sweep lr_ladder documents=a.txt"
    assert [path.name for path in Path("outputs").iterdir()] == ["handbook"]


COMMANDS = ["learn", "expand", "check", "bases", "sweep", "pick", "evaluate", "cache", "ask", "chat"]
CLOSE = {
    "lern": "learn", "leran": "learn", "learning": "learn", "lean": "learn", "expnad": "expand", "expansion": "expand",
    "chek": "check", "ckeck": "check", "swep": "sweep", "sweeps": "sweep", "pik": "pick", "picks": "pick",
    "eval": "evaluate", "evalute": "evaluate", "evaluation": "evaluate", "cach": "cache", "caches": "cache",
    "aks": "ask", "base": "bases", "baes": "bases", "chta": "chat", "Evaluate": "evaluate",
}  # fmt: skip
FAR = (
    "compare train clean extend validate cash catch peek serve export list report delete init status help version choose "
    "checkpoint test run teach tune start resume generate search predict info show open play make build deploy quantize"
)


def test_only_close_words_are_suggested():
    assert {word: near(word, COMMANDS, 1) for word in CLOSE} == {word: [meant] for word, meant in CLOSE.items()}
    assert {word: near(word, COMMANDS) for word in FAR.split() if near(word, COMMANDS)} == {}


def test_every_key_is_found_again_after_a_slip():
    """A letter left out, two swapped: the key is among the suggestions."""
    keys = [key for key in known_keys() if len(key) > 3]
    for key in keys:
        middle = len(key) // 2
        for slip in (
            key[:middle] + key[middle + 1 :],
            key[: middle - 1] + key[middle] + key[middle - 1] + key[middle + 1 :],
        ):
            assert key in near(slip, keys), slip
            assert is_slip(slip, keys)


def test_other_names_lead_to_keys_that_are_there():
    keys = {*every_key(), *known_keys()}
    assert {
        name: key for name, key in OTHER_NAMES.items() if key not in keys and not key.startswith("hydra.run.dir")
    } == {}
    assert not keys & OTHER_NAMES.keys()


def last_line(capsys) -> list[str]:
    command, *words = shlex.split(capsys.readouterr().out.rstrip().splitlines()[-1])
    assert command == "byheart"
    return words


@pytest.mark.parametrize("words", [["a.txt", "lr=1e-4"], ["my file.txt"], ["-m", "lr=1e-4,3e-4", "a.txt"]])
def test_check_ends_with_a_line_that_starts_what_was_checked(words, capsys):
    assert cli.main(["check", *words]) == 0
    command, *again = last_line(capsys)
    assert command == "learn" and check(read_request(again)).run_configs


@pytest.mark.parametrize("flags", [[], ["-cd", "mine", "-cn", "short"]])
def test_expand_ends_with_a_line_that_trains_on_its_examples(flags, capsys):
    Path("mine").mkdir()
    Path("mine/short.yaml").write_text("defaults: [learn, _self_]\nepochs: 2\n")
    Path("pairs.jsonl").write_text('{"question": "What is round?", "answer": "the ball"}\n')
    words = ["documents=my file.txt", "expansion=file", "expansion.file.path=pairs.jsonl"]
    assert cli.main(["expand", *flags, *words]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("    byheart learn ")]
    assert ["keep.jsonl" in line for line in lines] == ([False] if flags else [False, True])  # on all, on what was kept
    _, command, *again = shlex.split(lines[0])
    (config,) = check(read_request(again)).run_configs
    assert command == "learn" and config.documents == ("my file.txt",)
    assert config.epochs == (2 if flags else RunConfig.epochs)


def test_cache_ends_with_a_line_that_works(capsys, monkeypatch):
    assert cli.main(["cache"]) == 0
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    command, *again = last_line(capsys)
    assert command == "expand"
    Path("handbook.pdf").write_text("x")
    assert check(read_request(again)).run_configs
    from byheart.teacher.cache import AnswerCache

    with AnswerCache():
        pass
    assert cli.main(["cache"]) == 0
    words = last_line(capsys)
    assert words == ["cache", "export=answers.jsonl"] and cli.main(words) == 0
    words = last_line(capsys)
    assert words == ["cache", "prune=30d"] and cli.main(words) == 0
    assert last_line(capsys) == ["cache"]


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["sweep", "lr_ladder", "documents=my file.txt"], "byheart sweep lr_ladder 'documents=my file.txt'"),
        (["evaluate", "run=x y"], "byheart evaluate 'run=x y'"),
    ],
)
def test_what_is_stopped_without_a_folder_goes_on_with_the_same_words(words, again, monkeypatch, capsys):
    def stop(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "carry_out", stop)
    assert cli.main(words) == 130
    assert f"continue with: {again}" in capsys.readouterr().err


def test_a_batch_that_is_not_finished_ends_with_its_line(monkeypatch, capsys):
    from byheart.teacher.base import ComeBack

    def unfinished(*words):
        raise ComeBack(Problem("1 batch under way"))

    monkeypatch.setattr(commands, "carry_out", unfinished)
    assert cli.main(["expand", "documents=a.txt"]) == 75
    assert capsys.readouterr().err.endswith("later: byheart expand documents=a.txt\n")


def test_an_estimate_ends_with_the_line_that_starts_it(capsys):
    Path("pairs.jsonl").write_text('{"question": "What is round?", "answer": "the ball"}\n')
    words = ["documents=my file.txt", "expansion=file", "expansion.file.path=pairs.jsonl"]
    assert cli.main(["expand", *words, "estimate=true"]) == 0
    command, *again = last_line(capsys)
    assert command == "expand" and check(read_request(again)).run_configs[0].estimate is False
