"""Documents in fifteen languages other than English: their language, sentences, facts, examples by rules and by a teacher."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

import toys
from byheart import cli
from byheart.data.chunks import Chunking
from byheart.data.contamination import ContaminationFinder
from byheart.documents.languages.language import count_words, document_language
from byheart.documents.languages.other_languages import split_sentences
from byheart.expansion.filters.checks import (
    ALONE,
    GIVEN_AWAY,
    LANGUAGE,
    OBEYS,
    REPEATED,
    UNSUPPORTED,
    Filters,
)
from byheart.expansion.filters.ground import Ground
from byheart.expansion.from_teacher.angles import Angles
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.rules.other_languages import find_other_languages
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, REVERSE, Chunk, Example
from byheart.store import read_json, read_jsonl
from expansion.scripted import Scripted, well
from teacher.chat_server import ChatServer, Say, answer

TEXTS = {path.stem: path for path in sorted((Path(__file__).parent / "languages").glob("*.txt"))}  # a sentence a line

ASKED = {  # a teacher's questions on {}, a part of the fact: forward from four angles, and reverse
    "de": "Was weiß man über {}?|Wie lautet die Regel zu {} genau?|Ein Gast fragt nach {}. Was erfährt er?|Ergänze den Satz: {} …|In welchem Satz steht {}?",
    "fr": "Que sait-on de {} ?|Quelle est exactement la règle sur {} ?|Un invité demande {}. Que lui dit-on ?|Complète la phrase : {} …|Quelle phrase parle de {} ?",
    "es": "¿Qué se sabe de {}?|¿Cuál es exactamente la regla sobre {}?|Un socio pregunta por {}. ¿Qué le dicen?|Completa la frase: {} …|¿Qué frase habla de {}?",
    "zh": "关于{}，有什么规定？|{}的详细规定是什么？|一位乘客问到{}，该怎样回答他？|请补全这句话：{}……|哪一句话提到了{}？",
    "ja": "{}については何が決められていますか？|{}の詳しい決まりは何ですか？|お客が{}のことを尋ねたら、何と答えますか？|次の文を完成させてください：{}……|{}に触れているのはどの文ですか？",
    "ar": "ماذا نعرف عن {}؟|ما هي القاعدة بالتفصيل بشأن {}؟|سأل ضيف عن {}، فبماذا نجيبه؟|أكمل الجملة: {} …|أي جملة تتحدث عن {}؟",
}
ASKED |= {
    "pt": "O que se sabe sobre {}?|Qual é exatamente a regra sobre {}?|Um sócio pergunta por {}. O que lhe dizem?|Complete a frase: {} …|Que frase fala de {}?",
    "ru": "Что известно о том, что {}?|Каково точное правило: {}?|Гость спрашивает: {}. Что ему отвечают?|Дополните предложение: {} …|В каком предложении говорится: {}?",
    "hi": "{} के बारे में क्या पता है?|{} का नियम ठीक-ठीक क्या है?|एक सदस्य {} के बारे में पूछता है। उसे क्या बताया जाता है?|वाक्य पूरा करें: {} …|किस वाक्य में {} की बात है?",
    "bn": "{} সম্পর্কে কী জানা যায়?|{} নিয়ে নিয়মটি ঠিক কী?|একজন সদস্য {} নিয়ে জানতে চান। তাঁকে কী বলা হয়?|বাক্যটি পূর্ণ করুন: {} …|কোন বাক্যে {} আছে?",
    "ur": "{} کے بارے میں کیا معلوم ہے؟|{} کا قاعدہ ٹھیک ٹھیک کیا ہے؟|ایک رکن {} کے بارے میں پوچھتا ہے، اسے کیا بتایا جاتا ہے؟|جملہ مکمل کریں: {} …|کس جملے میں {} کا ذکر ہے؟",
    "id": "Apa yang diketahui tentang {}?|Apa tepatnya aturan tentang {}?|Seorang tamu bertanya tentang {}. Apa jawabannya?|Lengkapi kalimat ini: {} …|Kalimat mana yang menyebut {}?",
}
ASKED |= {f"{language}_60": ASKED[language] for language in ("de", "zh")}
ANGLES = ("simple", "detailed", "scenario", "completion", "reverse")


def code(name: str) -> str:
    """Texts of exactly 60 sentences have names like "de_60"."""
    return name.partition("_")[0]


def read(language: str) -> tuple[str, list[str]]:
    """The text in paragraphs, and its sentences as they were counted by hand."""
    lines = TEXTS[language].read_text("utf-8").splitlines()
    paragraphs = "\n".join(lines).split("\n\n")
    blank = "" if code(language) in ("zh", "ja") else " "
    text = "\n\n".join(part if part.startswith("#") else part.replace("\n", blank) for part in paragraphs)
    return text, [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("language", TEXTS)
def test_a_fact_is_a_sentence_in_every_language(language):
    text, sentences = read(language)
    assert document_language(text) == code(language)
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


@pytest.mark.parametrize("language", [name for name in ASKED if name == code(name)])
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


@pytest.mark.parametrize("name", ["de_60", "zh_60"])
def test_sixty_sentences_through_a_server_meet_their_quotas(name, tmp_path, monkeypatch):
    """Quotas count tokens: a Chinese chunk has hardly a blank."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOY_KEY", "toy")
    text, sentences = read(name)
    (tmp_path / "text.md").write_text(text, "utf-8")
    script = in_its_language(name)
    asked = "documents=text.md expansion=ladder expansion.ladder.rungs=1 teacher=openai teacher.model=toy teacher.api_key_env=TOY_KEY"
    with ChatServer(lambda call: Say(answer(script(call.said, call.body["temperature"])))) as server:
        words = [*asked.split(), f"teacher.base_url={server.url}", "teacher.server=toy", "hydra.run.dir=run"]
        assert cli.main(["expand", *words]) == 0
    account = read_json(tmp_path / "run/ledger.json")
    chunks = read_jsonl(tmp_path / "run/chunks.jsonl", Chunk)
    assert len(sentences) == 60 and abs(len(account["facts"]) - 60) <= 3
    assert account["asked"]["chunks"] == {chunk.id: -(-chunk.tokens // 60) for chunk in chunks}
    assert all(row["kept"] >= row["asked"] for row in account["by_chunk"].values())
    assert account["coverage"] == {"forward": 1.0, "reverse": 1.0}
    assert not account["short"] and not account["uncovered"] and set(account["rejected"]) <= {REPEATED}


WRONG = {  # what a bad teacher says of the first fact of each text: pointing at the text, of the model, in English, invented
    "de_60": ("Was steht im obigen Text über das Stadtmuseum?|Als KI-Sprachmodell kenne ich das Stadtmuseum nicht.|Das Stadtmuseum wurde 1731 eröffnet."),
    "fr": ("Que dit le musée selon le texte ?|En tant que modèle de langage, je ne sais rien du club.|Le club a été fondé en 1731."),
    "es": ("¿Qué dice el club según el texto?|Como modelo de lenguaje no conozco el club.|El club fue fundado en 1731."),
    "pt": ("O que diz o clube no texto?|Como modelo de linguagem, não conheço o clube.|O clube foi fundado em 1731."),
    "ru": ("Что сказано в тексте о клубе?|Как языковая модель, я не знаю клуба.|Клуб основан в 1731 году."),
    "zh_60": ("上文对青石县立图书馆有什么规定？|作为大语言模型，我不了解图书馆。|图书馆建于1731年。"),
    "ja": ("この文章によると渡し船はどうですか？|言語モデルなので船のことは分かりません。|船は1731年に作られた。"),
    "ar": ("ماذا يقول النادي في هذا النص؟|أنا نموذج لغوي ولا أعرف النادي.|تأسس النادي عام 1731."),
    "hi": ("इस पाठ में नौका के बारे में क्या है?|मैं एक भाषा मॉडल हूँ, नौका नहीं जानता।|पहली नौका 1731 में बनी थी।"),
    "bn": ("উপরের লেখা নৌকা ক্লাব নিয়ে কী বলে?|আমি একটি ভাষা মডেল, ক্লাব চিনি না।|ক্লাবটি ১৭৩১ সালে প্রতিষ্ঠিত হয়।"),
    "ur": ("اس متن میں کلب کے بارے میں کیا ہے؟|میں ایک لسانی ماڈل ہوں، کلب نہیں جانتا۔|کلب ۱۷۳۱ میں قائم ہوا۔"),
    "id": ("Apa kata klub menurut teks ini?|Sebagai model bahasa saya tidak kenal klub.|Klub didirikan pada tahun 1731."),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_bad_teacher_is_refused_in_every_language_for_its_fault(name):
    text, sentences = read(name)
    source = toys.source(text)
    ground = Ground.of(source.chunks[0], source)
    first = next(sentence for sentence in sentences if sentence in source.chunks[0].text)
    good = ASKED[name].split("|")[0].format(re.sub(r"[\W\d]+$", "", first[: 2 * len(first) // 3]))
    pointing, of_the_task, invented = WRONG[name].split("|")
    pairs = {
        (good, first): None,
        (pointing, first): ALONE,
        (good, of_the_task): OBEYS,
        (good, invented): UNSUPPORTED,
        ("What does the club say about its visitors and the prices?", "It says that they pay at the desk."): LANGUAGE,
        (first, first): GIVEN_AWAY,
    }
    found = {pair: Filters().refuse(*pair, "simple", ground) for pair in pairs}
    assert {pair: refusal and refusal.reason for pair, refusal in found.items()} == pairs


def test_numbers_are_the_same_in_the_digits_of_every_script():
    ground = Ground("ক্লাবটি ১৯০৮ সালে প্রতিষ্ঠিত হয়। চাঁদা ৮৪.৫ টাকা।", [], ["ক্লাব"])
    for said in ("1908 সালে প্রতিষ্ঠিত", "চাঁদা 84.5 টাকা", "চাঁদা ৮৪.৫ টাকা"):
        assert Filters().refuse("ক্লাব সম্পর্কে কী জানা যায়?", said, "simple", ground) is None
    refused = Filters().refuse("ক্লাব সম্পর্কে কী জানা যায়?", "1909 সালে প্রতিষ্ঠিত", "simple", ground)
    assert refused is not None and refused.reason == UNSUPPORTED and "1909" in refused.detail


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("服务器使用什么系统？", "Ubuntu Server LTS", None),
        ("网站由谁维护？", "Zhejiang Library Consortium", None),
        ("What system does the server use?", "Ubuntu Server LTS", LANGUAGE),
        ("What is the return fare?", "往返票九元", LANGUAGE),
    ],
)
def test_a_foreign_name_in_the_text_is_no_foreign_language(question, answer, reason):
    text = "本馆的服务器使用 Ubuntu Server LTS 系统。往返票九元。网站由 Zhejiang Library Consortium 维护。读者可通过手机查询。"
    refused = Filters().refuse(question, answer, "simple", Ground(text, [], ["图书馆手册"], "zh"))
    assert (refused and refused.reason) == reason


MIXED = {  # part -> (its language, its sentences)
    "English": ("en", ["The pool opens at 8 a.m. on Jan. 3 and closes at 9 p.m. every day.", "The water is 26 degrees warm.", "Nobody may dive in the small pool.", "Children under 12 years must be with an adult."]),
    "Deutsch": ("de", ["Das Bad öffnet am 3. Januar um 8 Uhr.", "Das Wasser hat z. B. im Mai 26 Grad.", "Niemand darf im kleinen Becken springen.", "Karten kosten gemäß § 4 Abs. 3 vier Euro."]),
    "中文": ("zh", ["泳池每天上午八点开放，晚上九点关闭。", "水温二十六度。", "小池禁止跳水。", "成人票四元，儿童票两元。"]),
    "العربية": ("ar", ["يفتح المسبح الساعة 8 صباحًا ويغلق الساعة 9 مساءً.", "يجب أن يرافق الأطفال شخص بالغ.", "لا يسمح بالقفز في المسبح الصغير.", "هل الماء دافئ في الشتاء؟"]),
}  # fmt: skip
POOL = "# Pool rules\n\n" + "\n\n".join(
    f"## {name}\n\n{('' if language == 'zh' else ' ').join(told)}" for name, (language, told) in MIXED.items()
)


def test_each_part_of_a_mixed_document_is_read_in_its_language(tmp_path, monkeypatch, capsys):
    source = toys.source(POOL, "Pool rules")
    found = {name: [fact.text for fact in source.facts if fact.headings[-1] == name] for name in MIXED}
    assert found == {name: told for name, (_, told) in MIXED.items()}
    assert {fact.headings[-1]: fact.language for fact in source.facts} == {k: v[0] for k, v in MIXED.items()}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool.md").write_text(POOL, "utf-8")
    assert cli.main(["check", "documents=pool.md"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "pool.md is in part German, Arabic and Chinese: rules read English only" in said


def test_a_teacher_may_answer_in_the_language_of_the_part(tmp_path):
    """And rules ask questions of the English part alone."""
    source = toys.source(POOL, "Pool rules")
    grounds = {chunk.headings[-1]: Ground.of(chunk, source) for chunk in source.chunks}
    german = ("Was kosten Karten für das Bad gemäß § 4 Abs. 3?", "Karten kosten vier Euro.")
    assert Filters().refuse(*german, "simple", grounds["Deutsch"]) is None
    refused = Filters().refuse(*german, "simple", grounds["English"])
    assert refused is not None and refused.reason == LANGUAGE
    asked = {
        f.headings[-1]
        for e in Rules().expand(source).examples
        if e.angle == "simple"
        for f in source.facts
        if f.id in e.facts
    }
    assert asked == {"English"}


@pytest.mark.parametrize("language", TEXTS)
def test_rules_ask_of_another_language_only_what_stands_there(language):
    text, _ = read(language)
    source = toys.source(text)
    written = Rules().expand(source)
    assert len(written.notes) == 1
    assert "rules read English only" in written.notes[0] and "expansion=angles" in written.notes[0]
    assert {example.angle for example in written.examples} <= {"recitation", "completion", "blank", "source", "before"}
    assert written.uncovered.keys() == {fact.id for fact in source.facts}, "none asks of whom or what it is said"
    assert all("in English only" in why for why in written.uncovered.values())
    assert {fact for example in written.examples for fact in example.facts} == {fact.id for fact in source.facts}
    facts = {fact.id: " ".join(fact.text.split()) for fact in source.facts}
    for example in written.examples:
        quoted = re.search("“(.*)”", example.question)
        said = facts[example.facts[0]]
        if example.angle in ("completion", "blank", "recitation"):
            assert example.answer.rstrip(".") in said
        if example.angle == "completion" and code(language) not in ("zh", "ja"):  # no word is parted
            assert f"{quoted[1].removesuffix(' …')} {example.answer}".rstrip(".") in said
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


@pytest.mark.parametrize("part", ["“a！”他说。", "Dr. med. ", "1. ", "— a. "])
def test_hostile_paragraphs_are_split_in_linear_time(part):
    prose = (part * 100_000)[:100_000]
    start = time.process_time()
    spans = split_sentences(prose, "de")
    assert time.process_time() - start < 4
    assert "".join(prose[a:b] for a, b in spans) == prose
