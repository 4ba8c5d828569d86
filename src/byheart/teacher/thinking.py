"""What a reasoning model wraps around its answer, taken off."""

import re

OPEN = r"<(think|thinking|thought|reasoning|seed:think)>"
WHOLE = re.compile(rf"{OPEN}.*?</\1>", re.S | re.I)
# Templates that open the thinking themselves (DeepSeek R1, Qwen3 thinking) leave only its end in the answer.
HEADLESS = re.compile(r"\A.*</(think|thinking|thought|reasoning|seed:think)>", re.S | re.I)
UNENDED = re.compile(rf"\A\s*{OPEN}.*\Z", re.S | re.I)
# gpt-oss' channels, where a server does not parse them: the final one is the answer
CHANNEL = re.compile(r"\A.*<\|channel\|>final<\|message\|>(.*?)(?:<\|(?:return|end)\|>.*)?\Z", re.S)


def strip_thinking(text: str) -> str:
    """The answer without the thinking before it; empty where the model was cut while it still thought."""
    if channel := CHANNEL.match(text):
        text = channel[1]
    text = WHOLE.sub("", text)
    if UNENDED.match(text):
        return ""
    return HEADLESS.sub("", text).strip()
