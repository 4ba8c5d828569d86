"""Contracts, statutes and manuals: each clause keeps its number, its lead-in and the words that close its list."""

import os
import re
from pathlib import Path

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.rules.by_kind import state
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, NEITHER, REVERSE, Document

LEASE = Path(__file__).parent / "clauses/lease.txt"


def read(text: str, title: str = "Deed") -> list[tuple[str, str]]:
    """(number, statement) of each fact."""
    document = Document("deed-1", title, text, "deed.txt")
    facts = find_facts(document, Chunking().split(document))
    leads = lead_ins(document, facts)
    return [(fact.labels, state(fact.text, leads.get(fact.id, ""), fact.closing)) for fact in facts]


def shared_case(name: str) -> Path:
    folder = Path(os.environ.get("BYHEART_DATA", "")).parent / "cases" / "documents"
    if not (folder / name).is_file():
        pytest.skip("BYHEART_DATA is not set: the shared cases are not here")
    return folder / name


def source_of(path: Path) -> Source:
    document = load_documents([str(path)]).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "3. Supply\n\n3.3 The Buyer may refuse Goods that:\n\n3.3.1 are damaged;\n\n3.3.2 arrive late; or\n\n3.3.3 do not fit.",
            [
                ("3.3.1", "The Buyer may refuse Goods that are damaged."),
                ("3.3.2", "The Buyer may refuse Goods that arrive late."),
                ("3.3.3", "The Buyer may refuse Goods that do not fit."),
            ],
            id="numbers with small letters",
        ),
        pytest.param(
            "1. Hire\n1.1 The Owner may withdraw where the Charterer\n1.1.1 fails to pay within a week;\n1.1.2 uses the boat for:\n"
            "1.1.2.1 towing;\n1.1.2.2 diving with six guests.\n1.2 VAT is not included in the hire.\n2. Crew\n2.1 The crew is two mates.",
            [
                ("1.1.1", "The Owner may withdraw where the Charterer fails to pay within a week."),
                ("1.1.2.1", "The Owner may withdraw where the Charterer uses the boat for towing."),
                ("1.1.2.2", "The Owner may withdraw where the Charterer uses the boat for diving with six guests."),
                ("1.2", "VAT is not included in the hire."),
                ("2.1", "The crew is two mates."),
            ],
            id="without blank lines, four levels",
        ),
        pytest.param(
            "2.1 The notice of clause\n2.2 does not apply. The rule in clauses 3.1,\n3.2 and 3.4 applies to hire.",
            [("2.1", "The notice of clause 2.2 does not apply."), ("2.1", "The rule in clauses 3.1, 3.2 and 3.4 applies to hire.")],
            id="wrapped references are no items",
        ),
        pytest.param(
            "4.1 Any term that:\n\n(a) is unfair to a guest; or\n\n(b) is hidden in a note,\n\nshall be void. The guest keeps the deposit.",
            [
                ("4.1(a)", "Any term that is unfair to a guest shall be void."),
                ("4.1(b)", "Any term that is hidden in a note shall be void."),
                ("4.1", "The guest keeps the deposit."),
            ],
            id="closing words",
        ),
        pytest.param(
            "2.2 If the boat:\n(a) arrives after 5 May; or\n(b) has been declared unfit by\n(i) the class society;\n(ii) the insurer of it,\n"
            "the Charterer may leave within two days. The hire that was paid is then returned by the owner at once.",
            [
                ("2.2(a)", "If the boat arrives after 5 May, the Charterer may leave within two days."),
                ("2.2(b)(i)", "If the boat has been declared unfit by the class society, the Charterer may leave within two days."),
                ("2.2(b)(ii)", "If the boat has been declared unfit by the insurer of it, the Charterer may leave within two days."),
                ("2.2", "The hire that was paid is then returned by the owner at once."),
            ],
            id="closing words below two levels, without a blank line",
        ),
        pytest.param(
            '1. Terms\n\n1.1 In this Deed:\n\n"Boat" means the yacht Halcyon;\n\n"Hire" means the sum in Box 7; and\n\n"Port" means the port of Larne.',
            [
                ("1.1", '"Boat" means the yacht Halcyon.'),
                ("1.1", '"Hire" means the sum in Box 7.'),
                ("1.1", '"Port" means the port of Larne.'),
            ],
            id="definitions",
        ),
        pytest.param(
            "§ 2 Mietzeit\n(1) Der Mieter kann kündigen, wenn\n1. der Steg gesperrt ist,\n2. der Strom ausfällt oder\n3. die Mole bricht.\n"
            "(2) Eine Kündigung nach\n§ 2 Abs. 1 Nr. 3 ist nur bis zum\n15. Oktober möglich.",
            [
                ("(1)1.", "Der Mieter kann kündigen, wenn der Steg gesperrt ist."),
                ("(1)2.", "Der Mieter kann kündigen, wenn der Strom ausfällt."),
                ("(1)3.", "Der Mieter kann kündigen, wenn die Mole bricht."),
                ("(2)", "Eine Kündigung nach § 2 Abs. 1 Nr. 3 ist nur bis zum 15. Oktober möglich."),
            ],
            id="German",
        ),
        pytest.param(
            "Art. 4. Les bateaux sont amarrés par leurs propriétaires.\n\nArt. 5. Le port est interdit aux personnes qui :\n"
            "a) ne possèdent pas de badge ;\nb) transportent du carburant.",
            [
                ("Art. 4", "Les bateaux sont amarrés par leurs propriétaires."),
                ("Art. 5a)", "Le port est interdit aux personnes qui ne possèdent pas de badge."),
                ("Art. 5b)", "Le port est interdit aux personnes qui transportent du carburant."),
            ],
            id="French",
        ),
        pytest.param(
            "第一条 为了保障渡口安全，制定本办法。\n\n第二条 渡船应当符合下列条件：\n（一）具有有效的证书；\n（二）船员不少于两人。",
            [
                ("第一条", "为了保障渡口安全，制定本办法。"),
                ("第二条（一）", "渡船应当符合下列条件：具有有效的证书。"),
                ("第二条（二）", "渡船应当符合下列条件：船员不少于两人。"),
            ],
            id="Chinese",
        ),
        pytest.param(
            "11. This is an appeal from the County Court.\n\n12. The respondent closed the slipway. It relied on section\n9. The appellant disagrees with it.",
            [
                ("11.", "This is an appeal from the County Court."),
                ("12.", "The respondent closed the slipway."),
                ("12.", "It relied on section 9."),
                ("12.", "The appellant disagrees with it."),
            ],
            id="numbered paragraphs",
        ),
        pytest.param(
            "1 The applicant is a fishing club.\n\n2 On 5 May the creek was drained.\n\n3 Costs follow the event.",
            [("1", "The applicant is a fishing club."), ("2", "On 5 May the creek was drained."), ("3", "Costs follow the event.")],
            id="numbered paragraphs without full stops",
        ),
        pytest.param(
            "Section 2.01 Transfers. No member may sell shares unless:\n\n(a) the board agrees; and\n\n(b) a month has passed.\n\n"
            "Section 2.02 Void Transfers. Any sale in breach of this is void.",
            [
                ("Section 2.01(a)", "Transfers. No member may sell shares unless the board agrees."),
                ("Section 2.01(b)", "Transfers. No member may sell shares unless a month has passed."),
                ("Section 2.02", "Void Transfers. Any sale in breach of this is void."),
            ],
            id="sections with names that run in",
        ),
        pytest.param(
            "1 Keeping of bees\n(1) A person who keeps bees on land that is not his own must—\n(a) mark each hive with a number; and\n(b) inspect it each month.\n\n"
            "2 Offences\nA person commits an offence if he—\n(a) hides a diseased hive, or\n(b) moves a hive by day,\nand is liable to a fine.",
            [
                ("(1)(a)", "A person who keeps bees on land that is not his own must mark each hive with a number."),
                ("(1)(b)", "A person who keeps bees on land that is not his own must inspect it each month."),
                ("(a)", "A person commits an offence if he hides a diseased hive, and is liable to a fine."),
                ("(b)", "A person commits an offence if he moves a hive by day, and is liable to a fine."),
            ],
            id="an act",
        ),
        pytest.param(
            "1. Предмет договора\n1.1. Лодка стоит у причала номер пять.\n2. Обязанности\n2.1. Арендатор обязан:\n"
            "2.1.1. платить 900 рублей в день;\n2.1.2. возвращать лодку с полным баком.",
            [
                ("1.1", "Лодка стоит у причала номер пять."),
                ("2.1.1", "Арендатор обязан платить 900 рублей в день."),
                ("2.1.2", "Арендатор обязан возвращать лодку с полным баком."),
            ],
            id="Russian",
        ),
        pytest.param(
            "- [ ] Switch on:\n  - [ ] the grinder in the hall\n  - [ ] the boiler, which needs twenty minutes\n☐ Count the float of 150 euros",
            [
                ("", "Switch on the grinder in the hall."),
                ("", "Switch on the boiler, which needs twenty minutes."),
                ("", "Count the float of 150 euros."),
            ],
            id="checklists",
        ),
    ],
)  # fmt: skip
def test_items_keep_their_number_their_lead_in_and_the_words_behind_the_list(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The lake froze in 1963.\n\nIt was 3.5 metres deep and held 2.1 million fish, of which\n1.2 million were eels.",
        "The temperatures were high:\n\n31.2 degrees were measured in May and\n33.4 degrees in June.",
        "She read the rules of the club. Under\nsection 4 a guest may stay. Book a room by phone before you come.",
    ],
)
def test_numbers_in_prose_are_no_clauses(text):
    assert {number for number, _ in read(text, "Lake")} == {""}


def test_every_clause_of_a_contract_is_taught_in_both_directions():
    source = source_of(LEASE)
    result = Rules().expand(source)
    assert len(source.facts) >= 55 and all("reverse" in why for why in result.uncovered.values())
    for fact in source.facts:
        directions = {example.direction for example in result.examples if example.facts == (fact.id,)}
        assert directions >= {FORWARD, NEITHER} and fact.labels, fact
        assert (REVERSE in directions) != (fact.id in result.uncovered), fact
    said = {example.question: example.answer for example in result.examples}
    title = source.documents[0].title
    assert said[f"What does clause 4.2(c)(i) of {title} say?"] == (
        "The Tenant shall not place on the pavement tables for more than eight guests."
    )
    assert (
        said[f"What does clause 7.1 of {title} say?"] == "The deposit is 2,900 euros. It bears interest of 1 per cent."
    )
    assert said[f"What does clause 6.5 of {title} say?"] == (
        "Any clause that is void; or becomes void later shall be replaced by a lawful one."
    )
    assert said[f"Which clause of {title} says: “The Rent rises by 2 per cent on every 1 March.”"] == "Clause 3.2."
    assert f"What does clause 1.1 of Schedule 1 of {title} say?" in said


def test_a_question_that_several_items_answer_names_its_own_or_asks_for_all():
    result = Rules().expand(source_of(LEASE))
    entering = [example for example in result.examples if "may the Landlord do" in example.question]
    assert entering and all(re.search(r"clause \d\.\d\(|^If the", example.question) for example in entering)
    said = {example.question.partition(" (")[0]: example.answer for example in result.examples}
    assert said["What is listed after “The Landlord may enter the Premises”?"] == (
        "After a notice of two days; or at any time in an emergency."
    )
    renewing = [example.question for example in result.examples if "renew" in example.answer]
    assert not [question for question in renewing if question.startswith(("What is the result", "When may"))], (
        "of conditions that hold together, none is enough"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "clauses.txt",
            ("3.3.2", "The Buyer may refuse Goods that arrive more than ten days after the Delivery Date."),
        ),
        ("policy.txt", ("3.4(a)", "Taxis may be used only between 22:00 and 6:00.")),
    ],
)
def test_the_shared_cases_are_read_so(name, expected):
    path = shared_case(name)
    assert expected in read(path.read_text(), load_documents([str(path)]).documents[0].title)
