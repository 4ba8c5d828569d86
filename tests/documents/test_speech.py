"""Transcripts, chats, plays and subtitles: who said it stays with what was said; times and numbers of cues are no facts."""

import os
import time
from pathlib import Path

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.composition import left_out
from byheart.documents.load import load_documents
from byheart.documents.speech.marks import is_small_talk
from byheart.documents.speech.read import read_speech
from byheart.documents.structure.outline import outline

TURNS = (
    ("Mia Falk", "Where do you keep the old bells?"),
    ("Tom Reyes", "We keep them in the crypt. The oldest bell is from 1311."),
    ("Mia Falk", "Who may ring them?"),
    ("Tom Reyes", "Only the sexton may ring them."),
)
FACTS = [
    ("Mia Falk", "Where do you keep the old bells?"),
    ("Tom Reyes", "We keep them in the crypt."),
    ("Tom Reyes", "The oldest bell is from 1311."),
    ("Mia Falk", "Who may ring them?"),
    ("Tom Reyes", "Only the sexton may ring them."),
]


def load(folder, text, name="talk.txt"):
    (folder / name).write_text(text, encoding="utf-8")
    loaded = load_documents([name], folder)
    return loaded.documents[0], loaded.warnings


def facts(folder, text, name="talk.txt"):
    document, _ = load(folder, text, name)
    return find_facts(document, Chunking().split(document))


def spoken(folder, text, name="talk.txt"):
    return [(fact.label, fact.text) for fact in facts(folder, text, name) if fact.kind == "speech"]


def each(shape: str, between: str = "\n") -> str:
    at = (f"00:0{n}:1{n}" for n in range(4))
    return between.join(
        shape.format(name=name, words=words, caps=name.upper(), time=time, short=time[3:])
        for (name, words), time in zip(TURNS, at, strict=True)
    )


@pytest.mark.parametrize(
    "shape",
    [
        "{name}: {words}",
        "{name} : {words}\n",
        "{caps}: {words}\n",
        "[{time}] {caps}: {words}",
        "{time} {name}: {words}",
        "({short}) {name}: {words}",
        "{name} ({short}): {words}",
        "{name} [{time}]:\n{words}\n",
        "{name}  {short}\n{words}\n",
        "{short} {name}\n{words}\n",
        "{name}\n{short}\n{words}\n",
        "{caps}\n\n{words}\n",
        "**{name}:** {words}\n",
        "**{name}**: {words}\n",
        "*{name}:* {words}\n",
        "### {name}\n\n{words}\n",
        ">> {caps}: {words}",
        "- {name}: {words}",
        "{caps}. {words}\n",
        "{caps}.\n{words}\n",
        "12/05/2024, {short} - {name}: {words}",
        "[12.05.24, {time}] {name}: {words}",
        "{name}  2:33 PM\n{words}\n",
        "{name} — 03/02/2024 4:15 PM\n{words}",
        "{name}, [14.03.2024 {short}]\n{words}\n",
        "{name}: [{short}] {words}",
        "{caps} — {words}\n",
    ],
)
def test_each_sentence_keeps_its_speaker_and_loses_its_time(tmp_path, shape):
    assert spoken(tmp_path, each(shape), "talk.md" if shape.startswith(("*", "#")) else "talk.txt") == FACTS


def test_names_of_chats_are_kept_as_they_are_typed(tmp_path):
    text = "[10:01] <kit> how do I reset it?\n[10:02] <@moss> hold the button\n[10:03] <kit> how long for?\n[10:04] <@moss> ten seconds\n"
    assert spoken(tmp_path, text) == [
        ("kit", "how do I reset it?"),
        ("moss", "hold the button"),
        ("kit", "how long for?"),
        ("moss", "ten seconds"),
    ]


@pytest.mark.parametrize("title", ["Transcript: The bells", "PANEL: THE BELLS OF TODAY", "# Roundtable: the bells"])
def test_a_title_with_a_colon_is_nobodys_turn(tmp_path, title):
    assert spoken(tmp_path, f"{title}\n\n" + each("{name}: {words}\n"), "talk.md") == FACTS


def test_what_is_left_out_is_counted(tmp_path):
    text = each("[{time}] {caps}: {words}") + "\n[00:05:00] MIA FALK: Great, thanks so much for having me."
    document, warnings = load(tmp_path, text)
    assert left_out(document.left_out) == "5 times"
    assert [warning.split(": ", 1)[1] for warning in warnings] == [
        "small talk, no fact of its own: 1 remark",
    ]
    assert spoken(tmp_path, text) == FACTS, "it stays in the text, and is no fact"
    assert "thanks so much" in load(tmp_path, text)[0].text


CUES = """WEBVTT - The bells

STYLE
::cue {{ color: red }}

NOTE made by hand

1
00:00:01.000 --> 00:00:03.000 align:start
{a}Where do you keep
<i>the old</i> bells?

2
00:00:03.100 --> 00:00:05.000
{b}We keep them

3
00:00:05.100 --> 00:00:06.000
{c}in the crypt. The oldest

00:00:06.100 --> 00:00:08.000
{c}bell is from 1311.

00:00:09.000 --> 00:00:11.000
[soft music]

00:00:12.000 --> 00:00:14.000
{a}Who may ring them?

00:00:14.100 --> 00:00:16.000
{b}Only the sexton may ring them.
"""


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("talk.vtt", ("<v Mia Falk>", "<v Tom Reyes>", "<v Tom Reyes>")),
        ("talk.vtt", ("MIA FALK: ", "TOM REYES: ", "")),
        ("talk.srt", ("Mia Falk: ", "Tom Reyes: ", "")),
        ("talk.txt", (">> MIA FALK: ", ">> TOM REYES: ", "")),
    ],
)
def test_a_sentence_of_subtitles_runs_over_cues(tmp_path, name, marks):
    text = CUES.format(**dict(zip("abc", marks, strict=True)))
    if name == "talk.srt":
        text = text[text.index("1\n") :].replace(".000 ", ",000 ")
    assert spoken(tmp_path, text, name) == FACTS
    document, _warnings = load(tmp_path, text, name)
    assert not any(sign in document.text for sign in ("-->", "<", "NOTE", "music"))
    counts = {part.kind: part.count for part in document.left_out}
    assert counts["times"] == 7 and counts["sounds"] == 1 and "cue numbers" in counts
    assert document.title == ("Talk" if name == "talk.srt" else "The bells")


def test_captions_that_roll_say_each_line_once(tmp_path):
    lines = [f"and the house with number {n} was built from these red bricks" for n in range(8)]
    text = "WEBVTT\n\n" + "".join(
        f"00:00:{2 * n:02}.000 --> 00:00:{2 * n + 2:02}.000\n{above}\n{line}\n\n"
        for n, (above, line) in enumerate(zip([" ", *lines], lines, strict=False))
    )
    document, warnings = load(tmp_path, text, "talk.vtt")
    assert " ".join(document.text.split()) == " ".join(lines)
    assert left_out([*document.left_out]) == "8 times, 7 repeated lines" and "no full stops" in warnings[0]
    assert len(facts(tmp_path, text, "talk.vtt")) > 1


def test_a_play_has_scenes_directions_and_speakers(tmp_path):
    text = """THE WELL

ACT I

SCENE 1. A farm at dusk.

[Enter the MAID with a bucket.]

MAID. Who took the rope? (Aside) I know it well.

FARMER. The rope is in the barn,
and the barn is locked.

MAID. [laughs] Then open it!

[Exit.]

SOLDIER. The bridge is down.

FARMER. Where is the key?
"""
    found = facts(tmp_path, text)
    assert [(fact.label, fact.text) for fact in found] == [
        ("", "Enter the MAID with a bucket."),
        ("Maid", "Who took the rope?"),
        ("Maid", "I know it well."),
        ("Farmer", "The rope is in the barn, and the barn is locked."),
        ("Maid", "Then open it!"),
        ("Soldier", "The bridge is down."),
        ("Farmer", "Where is the key?"),
    ]
    assert found[0].headings[-1] == "SCENE 1. A farm at dusk."


def test_a_talk_keeps_its_introduction_and_what_nobody_says(tmp_path):
    text = "A talk in the tower\n\nTom Reyes has cared for the bells since 1999.\n\n" + each("{name}: {words}\n")
    text += "\nThe longest rope has twenty metres.\n\nReyes showed us the crypt.\n\nMia Falk: Is it cold?\n\nTom Reyes: It has nine degrees.\n\n"
    text += "The tower is open from ten to four.\n"
    kinds = {fact.text: (fact.kind, fact.label) for fact in facts(tmp_path, text)}
    assert kinds["Tom Reyes has cared for the bells since 1999."] == ("text", "")
    assert kinds["The longest rope has twenty metres."] == ("speech", "Tom Reyes"), "the answer goes on"
    assert kinds["Reyes showed us the crypt."] == kinds["The tower is open from ten to four."] == ("text", "")


@pytest.mark.parametrize(
    "text",
    [
        "Serves: 4\nNote: You can use oil.\nMethod: I whisk it.\n\nServes: 6\nNote: You need a pan?\nMethod: We bake it.\n",
        "Pros: You can carry it.\nCons: I found it weak.\n\nPros: You get two.\nCons: Is it your colour?\n",
        "Risk: You lose the key.\nMitigation: We keep one. The risk is small.\n\nRisk: Is your mitigation known?\nMitigation: You call us.\n",
        "3:16 For God so loved the world.\n3:17 For God sent you his Son.\n3:18 He that believeth on him.\n3:19 And this is it for you.\n",
        "2024-05-12 14:33:10 INFO: Started\n2024-05-12 14:33:11 WARN: You should clean it\n2024-05-12 14:33:15 INFO: Did I stop?\n",
        "[00:00:01] Loading the model\n[00:00:03] Model loaded\n[00:00:05] Reading your documents\n[00:00:09] Done\n",
        "09:00 Registration\nYou need your badge.\n\n10:00 Coffee\nWe serve cake.\n\n10:30 Tour\nYou meet us.\n\n12:00 Coffee\nIs it free?\n",
        "Decision: The bridge stays.\nAction: Mr Lee writes to you.\n\nDecision: We pay.\nAction: Who asks for offers?\n",
        "Hopper: the box that you fill\nDamsel: the rod\nStone: the part that we turn\nSluice: the gate\nTailrace: is it dry?\n",
        "“Who is there?” asked Anna.\n\n“It is only me,” said Ben.\n\nShe thought: I should have known.\n\nHe smiled: you did.\n",
        "```\nServer: I am up\nClient: are you?\nServer: I am\nClient: you are\n```\n\nThen run it.\n",
        "From: Anna Meier\nTo: Ben Ode\nSubject: You\n\nAre you in?\n\nFrom: Ben Ode\nTo: Anna Meier\nSubject: Me\n\nI am.\n",
        "Q: When is it open?\nA: From six to ten.\n\nQ: How warm is it?\nA: It has 27 degrees.\n\nQ: May I bring a dog?\nA: No.\n",
        "Exam\n\nQ: Where is the pump?\nA: ______\n\nQ: How do you stop it?\nA: ______\n\nQ: Who are you?\nA: ______\n",
        "Anna Meier, baker: I sold it.\n\nBen Ode, potter: You saw it.\n\nCara Lind, smith: Did I sleep?\n",
        "1. Which do you see?\nA: You see Bonn\nB: You see Kiel\nC: We see Ulm\n2. Which now?\nA: You see Bern\nB: I see Graz\nC: None?\n",
        "Lisbon\n\nOverview\n\nYou go by train.\n\nFood\n\nTry it, will you?\n\nPorto\n\nOverview\n\nWe go by bus.\n\nFood\n\nYou get soup.\n",
        "Mr Lee asked whether you may park here. Mrs Ode said: I do.\n\nNote: We meet in May.\n\nMr Lee said: you may.\n",
    ],
)
def test_a_mere_word_before_a_colon_is_no_speaker(text):
    assert read_speech(text, "") == (text, "", [])


@pytest.mark.parametrize(
    "shape", ["Moderatorin: {0}\nBrandt: {1}\n", "Journaliste : {0}\nMme Morel : {1}\n", "记者：{0}\n王明：{1}\n"]
)
def test_speakers_of_other_languages(tmp_path, shape):
    pairs = [
        ("Wie viele Störche leben im Dorf?", "Wir haben heute vierzehn Paare."),
        ("Was fressen sie?", "Sie fressen Mäuse."),
    ]
    found = spoken(tmp_path, "".join(shape.format(*pair) for pair in pairs))
    assert len(found) == 4 and len({speaker for speaker, _ in found}) == 2


@pytest.mark.parametrize(
    ("remark", "nothing"),
    [
        ("Right, right.", True),
        ("Thanks for having me.", True),
        ("Great. Let's take a short break.", True),
        ("um", True),
        ("And in winter?", True),
        ("That's a great question.", True),
        ("The fuel.", False),
        ("No motor runs on stale fuel.", False),
        ("Great clocks need oil.", False),
        ("And who repaired the wheel?", False),
        ("Good oil lasts for seven years.", False),
    ],
)
def test_small_talk(remark, nothing):
    assert is_small_talk(remark) is nothing


def test_yes_answers_a_question():
    assert is_small_talk("Yes.") and not is_small_talk("Yes.", asked=True)


def test_no_other_text_is_taken_for_a_turn():
    blocks = outline(read_speech("Price:\u00a012 euros for the whole family\n")[0]).blocks
    assert [block.kind for block in blocks] == ["text"]


@pytest.mark.parametrize(
    "sign", ["Anna: ", "[00:00:01] ", "A. ", "<v ", "[a", "**", "♪", "Anna: hi\n", "00:00:01,000 --> 00:00:02,000\n"]
)
def test_hostile_text_is_read_in_linear_time(sign):
    start = time.process_time()
    read_speech(sign * (30_000 // len(sign)))
    assert time.process_time() - start < 4


def test_the_case_from_the_field(tmp_path):
    case = Path(os.environ.get("BYHEART_DATA", "")).parent / "cases/documents/interview.txt"
    if not os.environ.get("BYHEART_DATA") or not case.exists():
        pytest.skip("the cases are not here")
    found = spoken(tmp_path, case.read_text(encoding="utf-8"))
    assert {speaker for speaker, _ in found} == {"Host", "Petra Lindqvist"}
    assert ("Petra Lindqvist", "Fuel older than three months leaves gum in the carburettor.") in found
    assert not any("00:" in words for _, words in found)
