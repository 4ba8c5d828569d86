"""Documents in thirteen languages other than English: their language, sentences, facts, examples by rules and by a teacher."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import toys
from byheart import cli
from byheart.data.chunks import Chunking
from byheart.data.contamination import ContaminationFinder
from byheart.documents.language import count_words, document_language
from byheart.expansion.filters.checks import REPEATED, Filters
from byheart.expansion.filters.ground import Ground
from byheart.expansion.from_teacher.angles import Angles
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.rules.other_languages import find_other_languages
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, REVERSE, Example
from expansion.scripted import Scripted, well

TEXTS = {path.stem: path for path in sorted((Path(__file__).parent / "languages").glob("*.txt"))}  # a sentence a line

ASKED = {  # a teacher's questions on {}, a part of the fact: forward from four angles, and reverse
    "de": "Was weiß man über {}?|Wie lautet die Regel zu {} genau?|Ein Gast fragt nach {}. Was erfährt er?|Ergänze den Satz: {} …|In welchem Satz steht {}?",
    "fr": "Que sait-on de {} ?|Quelle est exactement la règle sur {} ?|Un invité demande {}. Que lui dit-on ?|Complète la phrase : {} …|Quelle phrase parle de {} ?",
    "es": "¿Qué se sabe de {}?|¿Cuál es exactamente la regla sobre {}?|Un socio pregunta por {}. ¿Qué le dicen?|Completa la frase: {} …|¿Qué frase habla de {}?",
    "zh": "关于{}，有什么规定？|{}的详细规定是什么？|一位乘客问到{}，该怎样回答他？|请补全这句话：{}……|哪一句话提到了{}？",
    "ja": "{}については何が決められていますか？|{}の詳しい決まりは何ですか？|お客が{}のことを尋ねたら、何と答えますか？|次の文を完成させてください：{}……|{}に触れているのはどの文ですか？",
    "ar": "ماذا نعرف عن {}؟|ما هي القاعدة بالتفصيل بشأن {}؟|سأل ضيف عن {}، فبماذا نجيبه؟|أكمل الجملة: {} …|أي جملة تتحدث عن {}؟",
}
ANGLES = ("simple", "detailed", "scenario", "completion", "reverse")


def read(language: str) -> tuple[str, list[str]]:
    """The text in paragraphs, and its sentences as they were counted by hand."""
    lines = TEXTS[language].read_text("utf-8").splitlines()
    paragraphs = "\n".join(lines).split("\n\n")
    blank = "" if language in ("zh", "ja") else " "
    text = "\n\n".join(part if part.startswith("#") else part.replace("\n", blank) for part in paragraphs)
    return text, [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("language", TEXTS)
def test_a_fact_is_a_sentence_in_every_language(language):
    text, sentences = read(language)
    assert document_language(text) == language
    for max_tokens in (256, 64):
        source = toys.source(text)
        chunks = Chunking(max_tokens).split(source.documents[0])
        assert "".join(text.split()) == "".join("".join(chunk.text.split()) for chunk in chunks)
    facts = [fact.text for fact in source.facts]
    assert abs(len(facts) - len(sentences)) <= 0.05 * len(sentences)
    assert len(set(sentences) & set(facts)) >= 0.9 * len(sentences)


def in_its_language(language: str):
    """A good teacher that asks in the language of the text."""

    def script(user: str, temperature: float, attempt: int = 0) -> str:
        pairs = json.loads(well(user, temperature, attempt))["pairs"]
        for pair in pairs:
            said = pair["answer"]
            words = said.split()
            part = said[: len(said) // 2] if len(words) == 1 else " ".join(words[len(words) // 2 :])
            asked = ASKED[language].split("|")[ANGLES.index(pair["angle"])]
            pair["question"] = asked.format(re.sub(r"[\d\W]+$", "", part))
        return json.dumps({"pairs": pairs}, ensure_ascii=False)

    return script


@pytest.mark.parametrize("language", ASKED)
@pytest.mark.parametrize("strategy", [Angles(), Ladder(rungs=3)], ids=["angles", "ladder"])
def test_a_teacher_covers_every_fact_in_both_directions(language, strategy):
    text, sentences = read(language)
    source = toys.source(text)
    written = strategy.expand(replace(source, teacher=Scripted(in_its_language(language))))
    taught = {(fact, example.direction) for example in written.examples for fact in example.facts}
    assert taught == {(fact.id, way) for fact in source.facts for way in (FORWARD, REVERSE)}
    assert not written.short
    assert len(written.examples) >= 2 * 0.95 * len(sentences)
    assert not [r for r in written.rejected if r.reason != REPEATED]
    assert sum(chunk.tokens for chunk in source.chunks) / 60 <= len(written.examples)  # the floor of the recipe


@pytest.mark.parametrize("language", TEXTS)
def test_rules_ask_of_another_language_only_what_stands_there(language):
    text, _ = read(language)
    source = toys.source(text)
    written = Rules().expand(source)
    assert len(written.notes) == 1
    assert "rules read English only" in written.notes[0] and "expansion=angles" in written.notes[0]
    assert {example.angle for example in written.examples} <= {"recitation", "completion", "blank", "reverse"}
    assert {fact for example in written.examples for fact in example.facts} == {fact.id for fact in source.facts}
    facts = {fact.id: " ".join(fact.text.split()) for fact in source.facts}
    for example in written.examples:
        quoted = re.search("“(.*)”", example.question)
        said = facts[example.facts[0]]
        if example.angle in ("completion", "blank", "recitation"):
            assert example.answer.rstrip(".") in said
        assert quoted is None or all(part.rstrip(" .…") in said for part in quoted[1].split("____"))
    assert not any(re.search(r"____[ \u00a0]?\d", example.question) for example in written.examples)  # half a number


def test_check_expand_and_the_first_line_name_the_language(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOY_KEY", "toy")
    text, _ = read("de")
    (tmp_path / "verein.txt").write_text(text, "utf-8")
    (tmp_path / "ferry.md").write_text(read("zh")[0], "utf-8")
    (tmp_path / "club.txt").write_text("The club was founded in Husum in 1908. It owns seventeen boats.\n" * 3)
    documents = "documents=[verein.txt,ferry.md,club.txt]"
    assert cli.main(["check", documents]) == 0
    checked = " ".join(capsys.readouterr().out.split())
    assert "verein.txt is German: rules read English only" in checked and "ferry.md is Chinese" in checked
    assert "club.txt is" not in checked
    assert (
        cli.main(
            [
                "check",
                documents,
                "expansion=angles",
                "teacher=openai",
                "teacher.model=toy",
                "teacher.api_key_env=TOY_KEY",
            ]
        )
        == 0
    )
    assert "English" not in capsys.readouterr().out
    assert cli.main(["expand", documents, "hydra.run.dir=run"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 documents (1 German, 1 Chinese)" in shown and "verein.txt is German: rules read English only" in shown


def test_many_documents_of_other_languages_are_counted(tmp_path):
    for language in TEXTS:
        (tmp_path / f"{language}.txt").write_text(read(language)[0], "utf-8")
    (note,) = find_other_languages(sorted(tmp_path.iterdir()))
    assert f"{len(TEXTS)} documents are not English (" in note and "1 Japanese" in note


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", ""),
        ("Bolts M8 40, nuts M8 60, washers M8 120, Paris, Lyon, Roma, Berlin, Madrid", ""),
        (
            "# Fees\n\nThe fee is 84 euros. It is paid by the end of March, and members must pay it at the desk of the club.",
            "en",
        ),
        ("狗免费。", "zh"),
        ("犬は無料です。", "ja"),
        ("Вход свободный.", "ru"),
    ],
)
def test_a_language_is_told_only_where_it_can_be(text, language):
    assert document_language(text) == language


def test_words_are_counted_without_blanks():
    assert count_words("The ferry runs every 40 minutes.") == 6
    assert count_words("渡轮每四十分钟开一班。") == 7
    assert count_words("배는 40분마다 출발합니다.") == 3


def test_a_german_quotation_at_the_end_is_no_broken_answer():
    text, _ = read("de")
    ground = Ground(text, [], [])
    answer = "Der Bootswart sagte: „Kein Boot ohne Licht.“"
    assert Filters().refuse("Was sagte der Bootswart über ein Boot ohne Licht?", answer, "simple", ground) is None


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("渡轮手册\n\n第一章 开航\n\n渡轮每四十分钟开一班。狗必须拴着。\n\n第二章 票价\n\n往返票九元。", ("第一章 开航", "第二章 票价")),
        ("Satzung\n\nArtikel 1 Übersicht\n\nDer Club sitzt in Husum.\n\nArtikel 2 Beiträge\n\nDer Beitrag beträgt 84 Euro.", ("Artikel 1 Übersicht", "Artikel 2 Beiträge")),
        ("Устав\n\nГлава 1. Общие положения\n\nКлуб основан в Выборге.\n\nГлава 2. Взносы\n\nВзнос составляет 840 рублей.", ("Глава 1. Общие положения", "Глава 2. Взносы")),
    ],
)  # fmt: skip
def test_chapters_of_a_plain_text_are_headings(text, headings):
    source = toys.source(text, text.partition("\n")[0])
    assert tuple(dict.fromkeys(fact.headings[-1] for fact in source.facts)) == headings


def test_a_chinese_completion_that_a_recitation_gives_away_is_not_held_out():
    recited = Example(
        "a", "请背诵第一句。", "渡轮每四十分钟开一班，狗必须拴着。", ("f",), "recitation", FORWARD, "file", "c"
    )
    asked = Example("b", "渡轮每四十分钟开", "一班，狗必须拴着。", ("f",), "completion", FORWARD, "file", "c")
    assert ContaminationFinder([recited]).reasons([asked])
