"""The words by which a text shows that it asks, answers or explains, in the most used languages."""

import re

# What stands before a question and before its answer.
LABELS = (
    ("q question", "a answer ans"),
    ("f frage", "a antwort"),
    ("q question", "r réponse reponse"),
    ("p pregunta pergunta", "r respuesta resposta"),
    ("d domanda", "r risposta"),
    ("v vraag", "a antwoord"),
    ("f fråga", "s svar"),
    ("s spørgsmål spørsmål", "s svar"),
    ("p pytanie", "o odpowiedź"),
    ("o otázka", "o odpověď"),
    ("k kysymys", "v vastaus"),
    ("в вопрос", "о ответ"),
    ("з питання запитання", "в відповідь"),
    ("ε ερώτηση", "α απάντηση"),
    ("s soru", "c cevap yanıt"),
    ("h hỏi", "đ đáp"),
    ("t pertanyaan tanya", "j jawaban jawab"),
    ("问 问题 問 問題 提问", "答 答案 回答 解答"),
    ("質問 ｑ q 問", "回答 ａ a 答"),
    ("질문 문 q", "답변 답 a"),
    ("س سؤال السؤال", "ج جواب الجواب إجابة الإجابة"),
    ("ש שאלה", "ת תשובה"),
    ("प्रश्न सवाल", "उत्तर जवाब"),
    ("প্রশ্ন", "উত্তর"),
)
ROLES: dict[str, list[tuple[int, str]]] = {}  # label -> (number of the language, "Q" or "A")
for _number, (_asking, _answering) in enumerate(LABELS):
    for _role, _words in (("Q", _asking), ("A", _answering)):
        for _word in _words.split():
            if _role == "Q" or _word not in _asking.split():  # one letter for both tells nothing
                ROLES.setdefault(_word, []).append((_number, _role))

ASKING = set(
    "who whom whose what when where why how which "
    "wer wen wem wessen was wann wo woher wohin warum wieso weshalb wie wieviel welche welcher welches welchen welchem "
    "qui que quoi quand où pourquoi comment combien quel quelle quels quelles "
    "quién qué cuándo cuánto cuánta cuántos cuántas dónde cómo cuál cuáles "
    "chi cosa quando dove perché come quanto quanta quanti quante quale quali "
    "quem quê onde como qual quais quanto porque por "
    "wie wat wanneer waar waarom hoe welke hoeveel vad när var varför hur vem hvad hvornår hvor hvorfor hvordan hvem "
    "kto co kiedy gdzie dlaczego jak ile jaki jaka jakie kim ne nasıl neden kaç hangi apa siapa kapan mengapa bagaimana".split()
)
OPENING = set(
    "is are was were am do does did can could may might must shall should will would have has had isn't aren't don't "
    "doesn't didn't can't won't "
    "ist sind war kann können darf dürfen muss müssen soll gibt hat haben brauche brauchen werden wird bekomme "
    "est-ce puis-je peut-on peux-je dois-je faut-il y ai-je avez-vous "
    "posso puoi si devo è c'è ci "
    "é há existe posso preciso pode "
    "is zijn kan mag moet moeten heeft är kan får måste finns har er kan må skal".split()
)
_TALKED = r"did you know|guess what|have you ever|do you (?:ever|remember|want|need)"
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
SPEAKS = re.compile(r"(?<![\w-])(?:I(?:['’](?:m|ve|d|ll))?|[Ii]ch|[Jj]e|[Yy]o|[Ee]u|[Ii]o)\s+(?=[a-zà-ÿ])|\b[Jj]['’]")
FOLLOW_UP = re.compile(
    r"(?:and|but|so|then|or|well|okay|ok|really|right|und|aber|also|et|mais|alors|y|pero|entonces|e|ma|allora|mas|então)\b"
    r"|(?:is|was|does|did|do|are|were|can|will|would)\s+(?:it|that|this|he|she|they|these|those)\b"
    r"|\S+\s*\?$|(?:why|how|what) (?:not|so|then|else|about \w+)\?$",
    re.IGNORECASE,
)
ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")  # "(5 marks)" under a question answers nothing
CONTEXT = re.compile(
    r"\bFAQs?\b|frequently asked|questions? (?:and|&) answers?|\bQ ?& ?A\b|häufig\w* (?:gestellte )?fragen|fragen und antworten"
    r"|foire aux questions|questions fréquentes|questions et réponses|preguntas (?:más )?frecuentes|preguntas y respuestas"
    r"|domande (?:più )?frequenti|domande e risposte|perguntas (?:mais )?frequentes|perguntas e respostas|veelgestelde vragen"
    r"|常见问题|常見問題|问答|よくある(?:ご)?質問|자주 묻는|الأسئلة الشائعة|вопросы и ответы|часто задаваемые",
    re.IGNORECASE,
)
GLOSSARY = re.compile(
    r"\b(?:glossar\w*|terms|terminology|definitions?|vocabulary|abbreviations?|acronyms?|begriffe?|definitionen|abkürzungen"
    r"|glosario|definiciones|términos|glossaire|lexique|définitions|glossario|definizioni|definições|begrippen\w*)\b"
    r"|术语|術語|用語|词汇|定義|定义|용어|глоссарий|термины|مصطلحات",
    re.IGNORECASE,
)
MEANS = re.compile(  # how a meaning begins, and what is said of a price or an address does not
    r"(?:an?|the|any|one|someone|something|to|ein|eine|einen|der|die|das|un|une|le|la|les|l['’]|el|los|las|una|il|lo|gli|uno"
    r"|o|os|um|uma|een|de|het|en|ett|et)\b",
    re.IGNORECASE,
)


def asks(words: str) -> bool:
    """Whether a text with a question mark is a question that can be answered, and no "Ready?" or "Did you know?"."""
    if not LATIN.search(words):
        return True
    found = [word.casefold() for word in WORD.findall(words)]
    if len(found) < 3 or re.match(_TALKED, words, re.IGNORECASE):
        return False
    return words.startswith("¿") or found[0] in OPENING or bool(ASKING & set(found[:8]))
