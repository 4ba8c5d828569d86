"""Questions read off parsed sentences: what is asked, and what is answered."""

import subprocess
import sys

import pytest

from byheart.expansion.question_generation.reading import ask_facts
from byheart.expansion.question_generation.wording import article, plural, singular, third_person, with_article


def ask(*sentences: str, definitions=(), announced=()):
    """(question, answer) of all the questions on some facts of one section."""
    statements = {str(number): [text] for number, text in enumerate(sentences)}
    found = ask_facts(statements, dict(definitions), dict(announced), dict.fromkeys(statements, "section"))
    return [(one.question, one.answer) for group in found.values() for one in group]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        # the subject
        ("The station licensee must designate the control operator.", "Who must designate the control operator?", "The station licensee."),
        ("Any station may be remotely controlled.", "Which stations may be remotely controlled?", "Any station."),
        ("The signals are sent by night.", "What is sent by night?", "The signals."),
        ("Over 2,000 people died in the flood.", "How many people died in the flood?", "Over 2,000."),
        # object and complement
        ("The referee blows the whistle.", "What does the referee blow?", "The whistle."),
        ("The treasurer kept the books in order.", "What did the treasurer keep in order?", "The books."),
        ("The capital of the province is Leeuwarden.", "What is the capital of the province?", "Leeuwarden."),
        ("The station licensee is responsible for the operation.", "What is the station licensee responsible for?", "The operation."),
        # time, place, amount
        ("The board meets on the first Monday of May.", "When does the board meet?", "The first Monday of May."),
        ("Kilbrandon published the report in 1973.", "In what year did Kilbrandon publish the report?", "1973."),
        ("The licence is granted for a 10-year term.", "How long is the licence granted for?", "10 years."),
        ("A station must give its name every 10 minutes.", "How often must a station give its name?", "Every 10 minutes."),
        ("When a station is being driven, the operator must be at the wheel.", "When a station is being driven, where must the operator be?", "At the wheel."),
        ("The club must be composed of at least four persons.", "How many persons must the club be composed of?", "At least four."),
        ("The power of a beacon must not exceed 100 watts.", "What is the maximum power of a beacon?", "100 watts."),
        ("There are 131 seats in the chamber.", "How many seats are there in the chamber?", "131."),
        ("A match lasts 80 minutes.", "How long does a match last?", "80 minutes."),
        ("The festival took place in Oslo on 3 May 1999.", "Where did the festival take place on 3 May 1999?", "Oslo."),
        ("The festival took place in Oslo on 3 May 1999.", "On what date did the festival take place in Oslo?", "3 May 1999."),
        ("The forest expanded during the Miocene.", "During what period did the forest expand?", "The Miocene."),
        ("The cat typically sits in the window.", "Where does the cat typically sit?", "In the window."),
        ("The glacier covers over half of the island.", "What share of the island does the glacier cover?", "Over half."),
        # agent, reason, condition
        ("The plan must be approved by the master of the ship.", "Who must approve the plan?", "The master of the ship."),
        ("The basin was split by the Purus Arch.", "What split the basin?", "The Purus Arch."),
        ("The meeting was moved because the hall was flooded.", "Why was the meeting moved?", "Because the hall was flooded."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "When is the defending team given a penalty?", "If the ball is pushed forward."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "If the ball is pushed forward, which team is given a penalty?", "The defending team."),
        ("The work was stopped due to the outbreak of war.", "Why was the work stopped?", "The outbreak of war."),
        ("The hall was vacated to allow for the meeting.", "What was the hall vacated to allow for?", "The meeting."),
        ("The role of the chair is to lead the meeting.", "What is the role of the chair?", "To lead the meeting."),
        # what is forbidden
        ("No station shall transmit false messages.", "What is a station not allowed to transmit?", "False messages."),
        ("No station shall transmit false messages.", "May a station transmit false messages?", "No, no station shall transmit false messages."),
        ("Players must not wear jewellery.", "Who must not wear jewellery?", "Players."),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_as_people_ask(sentence, question, answer):
    assert (question, answer) in ask(sentence)


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("Oil was found in the Barents Sea by a small crew.", "In which sea was oil found by a small crew?", "The Barents Sea."),
        ("The discovery of oil in the Barents Sea led to a quarrel.", "The discovery of oil in which sea led to a quarrel?", "The Barents Sea."),
        ("The region includes land that belongs to nine nations.", "The region includes land that belongs to how many nations?", "Nine."),
        ("The house was designed by Danish architect Jens Holm.", "Which Danish architect designed the house?", "Jens Holm."),
        ("The chair is elected by a secret ballot.", "By what kind of ballot is the chair elected?", "A secret ballot."),
        ("There have been floods in the valley over the last 300 years.", "Over how many years have there been floods in the valley?", "300."),
        ("Changes of climate during the last years have harmed the crops.", "What has harmed the crops during the last years?", "Changes of climate."),
        ("Some scientists argue that the forest was reduced to small islands.", "According to some scientists, what was the forest reduced to?", "Small islands."),
        ("While the hall was being built by the guild, the club met in a barn.", "Who built the hall?", None),
        ("It was not until 1978 that the law was passed by the council.", "In what year was the law passed by the council?", "1978."),
        ("After the flood in 1921 the bridge was demolished.", "What happened to the bridge?", "The bridge was demolished."),
        ("From 66–34 Mya, the rainforest extended as far south as 45°.", "How far south did the rainforest extend from 66–34 Mya?", "As far south as 45°."),
        ("The mayor (currently Anna Berg) opens the fair.", "Who is currently the mayor?", "Anna Berg."),
        ("The linden (German: Linde; Danish: Lind) is a tree.", "What is the German name of the linden?", "Linde."),
    ],
)  # fmt: skip
def test_what_lies_deeper_is_asked_for_too(sentence, question, answer):
    """Names, numbers and kinds inside other phrases, clauses inside clauses, and what stands in parentheses."""
    asked = ask(sentence)
    assert (question, answer) in asked if answer else question not in [q for q, _ in asked]


MENDED = [
    # sentence, questions with their answers that must come, questions that must not
    # who and what
    ("The kiln runs on gas.", {}, ["Who does the kiln run on?"]),
    ("Corvelin contains a dye.", {}, ["Who contains a dye?"]),
    ("The council raised the duty.", {"Who raised the duty?": "The council."}, ["What raised the duty?"]),
    ("The mayor, Caspar Thule, sent two riders.", {"Who sent two riders?": "The mayor."}, []),
    ("A schoolteacher found the cave in 1911.", {"Who found the cave in 1911?": "A schoolteacher."}, []),
    ("The oldest specimen lives in the zoo.", {}, ["Who lives in the zoo?"]),
    # pronouns and pointers that another sentence explains
    ("The program caches them for six hours.", {}, None),
    ("Its weights must be wound up every day.", {}, None),
    ("Breakfast is included in that limit.", {}, None),
    ("The third is recommended for normal use.", {}, None),
    ("Balk surrendered himself in May.", {}, ["What did Balk surrender in May?"]),
    # code, options and short quotations
    ("The option `--days N` sets the length.", {"What does the option `--days N` set?": "The length."}, []),
    ("The function `track()` returns a parcel.", {"What returns a parcel?": "The function `track()`."}, []),
    ("The key “Save as” opens a window.", {"What does the key “Save as” open?": "A window."}, []),
    ("The option --days sets how many days are shown.", {"What does the option --days set?": "How many days are shown."}, []),
    # limits, amounts and numbers
    ("Hotels are paid up to 120 euros a night, in capitals up to 160 euros.", {}, None),
    ("Books are lent for four weeks and films for one week.", {}, None),
    ("Adults weigh between 450 and 700 grams.", {"How many grams do adults weigh?": "Between 450 and 700."}, []),
    ("A probe should read 97 °C.", {"What should a probe read?": "97 °C."}, ["What should a probe read C?"]),
    ("Headaches occur in up to 1 in 10 people.", {}, None),
    ("The members built many bridges in Asia.", {}, ["How many bridges did the members build?"]),
    ("The pump supports loads up to a weight of 3 tons.", {}, ["What supports up loads?"]),
    # only, never, except, unless: they stay where they belong
    ("Electric light came only in 1954.", {"When did electric light come?": "Only in 1954."}, ["In what year did electric light come only?"]),
    ("The dough never becomes smooth.", {"What never becomes smooth?": "The dough."}, ["What not becomes smooth?"]),
    ("The tool never deletes the cache.", {"What does the tool never delete?": "The cache."}, []),
    ("Taxis may be used only if no bus runs.", {}, ["May taxis be used?", "What may be used?"]),
    ("Keys can be made on site by members only.", {"Who can make keys on site?": "Members only."}, []),
    ("Photography is permitted everywhere except in the crypt.", {}, ["What is permitted everywhere?"]),
    # conditions
    ("If a file is broken, it is skipped and the exit code is 2.", {"If a file is broken, what is the exit code?": "2."}, ["What is the exit code?"]),
    ("Once a jar is open, it is kept cold.", {}, None),
    ("First class is allowed if the trip is long.", {"When is first class allowed?": "If the trip is long."}, ["What is first class allowed?"]),
    ("The tale was forgotten until a poet found it.", {"Until when was the tale forgotten?": "Until a poet found it."}, ["When was the tale forgotten?"]),
    # times
    ("Devices must be reported within two hours.", {"When must devices be reported?": "Within two hours."}, []),
    ("Incubation lasts 33 days.", {"How long does incubation last?": "33 days."}, ["When does incubation last?"]),
    ("The club won the cup for the fourth time.", {}, ["How long did the club win the cup for?"]),
    ("Rooms must be vacated by 10:00.", {"By when must rooms be vacated?": "10:00."}, ["What must vacate rooms?"]),
    ("The museum is closed on Mondays and on holidays.", {"When is the museum closed?": "On Mondays and on holidays."}, []),
    ("Visitors may turn the crank at 11 a.m. and 3 p.m.", {"When may visitors turn the crank?": "11 a.m. and 3 p.m."}, []),
    # what is possible is not allowed
    ("Juice can increase the level.", {}, ["What is juice allowed to increase?", "What is juice allowed to do?"]),
    ("The starter may need 24 hours.", {}, ["Is the starter allowed to need 24 hours?", "What may the starter do?"]),
    # phrases that may belong to another word
    ("The council raised the duty on salt.", {}, ["What did the council raise on salt?"]),
    ("A flora of the desert, which describes moss, was printed.", {}, ["What does the desert describe?"]),
    ("A member who breaks rules often can be excluded.", {}, None),
    ("The bread tastes best on the second day.", {"When does the bread taste best?": "On the second day."}, ["When does the bread taste?"]),
    ("Chairs are provided on request.", {}, ["What are chairs provided on?"]),
    ("Only this set is enabled by default.", {}, ["What enables only this set?"]),
    # sentences that the parser takes for something else
    ("After a power cut the stove restarts by itself.", {}, None),
    ("The tablets are white, round and scored on one side.", {}, None),
    ("Wearing parts are excluded from it.", {}, None),
    ("The service needs read access but never stores keys.", {}, None),
    ("Books are lent for four weeks, films for one week.", {}, None),
    ("The user must leave the room clean and close all windows.", {}, None),
    ("The population fell by half between 1950 and 1975.", {}, None),
    ("Reports go to any station when it asks and any station which pays.", {}, None),
    ("The water is clear to a depth of nine metres in winter, but only to four metres in summer because of algae.", {}, None),
    ("The last steamer was scrapped after the railway along the eastern shore had been opened.",
     {"When was the last steamer scrapped?": "After the railway along the eastern shore had been opened."}, []),
    ("Blocks are 64 KiB long by default.", {"What is 64 KiB long by default?": "Blocks."}, ["What are blocks long by default?"]),
    ("It supports cables, Bluetooth and the network protocol.", {}, None),
    ("Vindmo supports serial cables, Bluetooth and the network protocol of the maker.", {}, ["What supports serial cables?"]),
    # halves: what both share is asked with both
    ("Each operator must cooperate in selecting channels and in making good use of frequencies.",
     {"Who must cooperate in selecting channels and in making good use of frequencies?": "Each operator."},
     ["Who must cooperate in selecting channels?"]),
    ("Visitors shall not smoke or eat in the reading rooms.",
     {"May visitors eat in the reading rooms?": "No, visitors shall not eat in the reading rooms."},
     ["Are visitors allowed to smoke?", "Where must visitors eat?"]),
    ("No station shall transmit music. No station shall transmit false messages.", {}, ["What is a station not allowed to transmit?"]),
    # exceptions
    ("Each station, except a beacon, must transmit its call sign.",
     {"What must each station, except a beacon, do?": "Transmit its call sign."}, ["What must each station do?"]),
    ("No station shall transmit messages for hire with exceptions.", {}, ["May a station transmit messages for hire?"]),
    # words that belong to the verb, or are no agent and no object
    ("An operator may notify other operators of the sale.", {"Who may notify other operators of the sale?": "An operator."},
     ["Who is an operator allowed to notify?"]),
    ("Young birds can be recognised by their yellow foreheads.", {}, ["What can recognise young birds?"]),
    ("The soup takes about an hour.", {"How long does the soup take?": "About an hour."}, ["What does the soup take?"]),
    ("Dried herbs taste dusty.", {}, ["What do dried herbs taste?"]),
    ("The cheese is made in an afternoon.", {}, ["When is the cheese made?"]),
    ("The soup is served in deep bowls with chopped dill on top.", {}, ["With what is the soup served in deep bowls on top?"]),
    ("The town has had no station since 1985.", {}, ["What has the town had since 1985?"]),
    ("Reference works may not be taken out of the building.", {}, ["What are reference works not allowed to be taken out?"]),
    ("The largest employer is the Torsen shipyard.", {}, ["Who is the Torsen shipyard?"]),
    ("The recipe makes two loaves of bread.", {"How many loaves of bread does the recipe make?": "Two."}, []),
    ("A vehicle may remain at a charging point for four hours.",
     {"How long may a vehicle remain at a charging point?": "Four hours."}, []),
    ("An entity recommends channels to operators for such stations.", {}, ["What recommends channels to operators for such stations?"]),
    # too little is asked
    ("The default is 3.", {}, ["What is the default?"]),
    ("Dizziness is less common.", {}, ["What is less common?"]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "come", "stay_away"), MENDED)
def test_mistakes_that_readers_found_stay_away(sentence, come, stay_away):
    """`stay_away` None: nothing may be asked at all."""
    asked = ask(sentence)
    for question, answer in come.items():
        assert (question, answer) in asked
    assert not asked if stay_away is None else not {question for question, _ in asked} & set(stay_away)


def test_a_pronoun_that_may_mean_two_things_is_left_alone():
    tower = "The tour starts in the hall, where the tower clock hangs."
    assert not any("was forged" in question for question, _ in ask(tower, "It was forged in 1541."))
    assert ("When did the hut burn down?", "1934.") in ask("A hut was built in 1897.", "It burned down in 1934.")
    assert ask("Workers painted a bridge.", "It takes ten days to paint it.") == ask("Workers painted a bridge.")


def test_a_capital_stays_where_the_text_has_it_elsewhere():
    asked = ask(
        "Caraway can be replaced with mint.", "Rye needs caraway.", "Rovers took the lead.", "The crowd left Rovers."
    )
    assert ("What can caraway be replaced with?", "Mint.") in asked
    assert ("What did Rovers take?", "The lead.") in asked


def test_a_name_at_the_beginning_keeps_its_capital():
    lake = "Lake Orra is a glacial lake."
    assert ("What is Lake Orra?", "A glacial lake.") in ask(lake, "Smoke hangs over Lake Orra.", "The lake freezes.")
    herring = "Herring was the basis of the trade until 1960."
    town = "The town celebrates the Herring Days in August."
    assert any(question.startswith("Until when was herring the basis") for question, _ in ask(herring, town))
    windows = "Windows is supported only through the Linux subsystem."
    assert "What is Windows supported through?" in [question for question, _ in ask(windows)]


def test_a_bare_subject_is_not_asked_what_is_said_about_it():
    """ "What does the rulebook say about a station?": a hundred things."""
    assert not any("say about" in question for question, _ in ask("A station may be remotely controlled."))
    assert any("say about" in question for question, _ in ask("Use of a phonetic alphabet is encouraged."))


def test_nothing_is_left_over_behind_another_phrase():
    asked = [
        q
        for q, _ in ask(
            "No station shall transmit messages for a third party to any station within the jurisdiction of a foreign government."
        )
    ]
    assert not any(question.endswith(" to?") for question in asked)
    assert any(question.startswith("To wh") for question in asked)


def test_an_adverb_before_a_verb_is_not_inflected():
    assert ("Who typically sits in the last row?", "Members.") in ask("Members typically sit in the last row.")


def test_joined_verbs_are_asked_one_by_one():
    asked = ask("The club must keep a record and must name a trustee.")
    assert ("What must the club keep?", "A record.") in asked
    assert ("Who must the club name?", "A trustee.") in asked


def test_tails_asides_and_parentheses_are_split_off():
    asked = ask("The water broke through the arch (a ridge), joining the flow toward the sea.")
    assert ("What broke through the arch?", "The water.") in asked


def test_what_a_noun_that_is_does_is_said_of_the_subject():
    asked = ask("The Amazon is a forest that covers most of the basin.")
    assert ("What does the Amazon cover?", "Most of the basin.") in asked


def test_a_pronoun_takes_the_last_subject_or_is_left_alone():
    assert ("When did the forest expand?", "During the Miocene.") in ask(
        "The forest spanned a narrow band.", "It expanded during the Miocene."
    )
    assert ask("They expanded during the Miocene.") == []
    assert not any(" it " in question for question, _ in ask("Members elect a chair.", "It expanded in the Miocene."))


def test_a_plural_noun_taken_for_a_verb_is_not_asked_about():
    sentence = "The licensee must make the station and the station records available for inspection."
    assert all("must records" not in question for question, _ in ask(sentence))


def test_a_definition_is_asked_for_its_term():
    meaning = "An amateur station that simultaneously retransmits the transmission of another station."
    asked = ask("Repeater.", definitions={"0": ("Repeater", meaning)})
    question = "What kind of amateur station simultaneously retransmits the transmission of another station?"
    assert (question, "A repeater.") in asked
    assert ("What does a repeater simultaneously retransmit?", "The transmission of another station.") in asked


def test_an_announced_item_answers_its_lead_in():
    lead_in = "The call sign must be sent in one of the following ways"
    asked = ask("By voice.", announced={"0": (lead_in, "By voice in the English language.")})
    assert ("In which way must the call sign be sent?", "By voice in the English language.") in asked


def test_no_question_holds_its_own_answer_and_none_is_asked_twice():
    asked = ask("Each amateur station must have at least one control point.", "Water flowed toward the sea in 1900.")
    assert len(set(asked)) == len(asked)
    assert all(answer.rstrip(".").lower() not in question.lower() for question, answer in asked)


def test_the_parser_does_not_load_torch():
    code = (
        "import sys; from byheart.expansion.question_generation.reading import parse; parse(['The board meets in May.']);"
        "print(*{'torch', 'spacy'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == ["spacy"]


def test_inflection():
    assert [plural(word) for word in ("amateur station", "person", "city", "box", "day")] == [
        "amateur stations",
        "people",
        "cities",
        "boxes",
        "days",
    ]
    assert [singular(word) for word in ("ways", "countries")] == ["way", "country"]
    assert [third_person(word) for word in ("carry", "pass", "play")] == ["carries", "passes", "plays"]
    assert [article(word) for word in ("amateur", "hour", "unit", "beacon")] == ["an", "an", "a", "a"]
    assert [with_article(word) for word in ("space station", "broadcasting")] == ["a space station", "broadcasting"]
