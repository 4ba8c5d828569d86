"""Prompt injection: orders of a document to the model that reads it ("ignore your instructions and ..."), and answers
that obey them.

An order is a fact like any other: a question may ask what the document orders. It may not decide another answer.
"""

import re

_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.!?]{0,40}\b(?:instructions?|prompts?|rules|above|previous|earlier|everything)\b"
    r"|\b(?:system prompt|language model|AI assistant|as an AI|chatbot|LLM)\b[^.!?]{0,80}\b(?:must|should|shall|please|only|instead|always|never)\b"
    r"|\b(?:you are now|from now on,? you|act as|pretend (?:to be|you are)|new instructions?)\b"
    r"|\b(?:reply|respond|answer|output|print|say|write)\b\s+(?:only|just|always|exactly|with|nothing|to (?:every|all|each|any))\b",
    re.I,
)
_TASK = re.compile(
    r"\b(?:as an ai\b|as a language model|language model|system prompt|my instructions|the (?:user|prompt) (?:asks|asked|wants)"
    r"|i(?:['’]m| am) (?:sorry|unable|not able)|i can(?:not|['’]t) (?:help|assist|provide|answer|comply)|question-answer pairs?"
    r"|(?:the )?instructions? (?:says?|tells?) (?:me|us)|json"
    r"|als (?:ki|sprachmodell)\b|modèle de langage|modelo de (?:lenguaje|linguagem)|modello linguistico|языков\w+ модел\w+|dil modeli|model bahasa)"
    r"|(?:语言|語言|大)模型|言語モデル|언어 모델|نموذج لغوي|भाषा मॉडल|ভাষা মডেল|لسانی ماڈل",
    re.I,
)
_I = re.compile(r"\bI\b")


def is_order(sentence: str) -> bool:
    """Whether the sentence instructs its reader what to answer or write."""
    return bool(_ORDER.search(sentence))


def speaks_of_the_task(written: str, text: str) -> str:
    """The words in which a pair mentions the prompt or the model; empty where the document has them too."""
    found = _TASK.search(written)
    return found[0] if found and found[0].casefold() not in text.casefold() else ""


def speaks_as_itself(answer: str, text: str) -> bool:
    """Whether the answer says "I" and the document never does: it follows an instruction like "you are now ..."."""
    return bool(_I.search(answer)) and not _I.search(text)
