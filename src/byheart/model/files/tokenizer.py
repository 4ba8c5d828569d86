"""The tokenizer's files: whether there are any, which token ends a turn, and whether the chat template can be used."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from byheart.model.files.reading import Damaged, read_object

Fault = tuple[str, str]  # what is wrong, what to do
WORDS = ("tokenizer.json", "*.model", "vocab*", "*.tiktoken", "tekken.json")  # files with a vocabulary
MARK = "byheart asks"
OFFER_PLAIN = "model.template=plain asks it in plain lines; else "
WITHOUT_TEMPLATE = f"{OFFER_PLAIN}choose an instruction-tuned model, or add chat_template.jinja to its folder"


def tokenizer_faults(folder: Path, config: dict[str, Any], templated: bool) -> Iterator[Fault]:
    """`templated`: the chat template of the folder is used."""
    if not any(any(folder.glob(pattern)) for pattern in WORDS):
        yield "it has no tokenizer", "copy tokenizer.json and tokenizer_config.json of the same model into it"
        return
    read: dict[str, dict[str, Any]] = {}
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"):
        try:
            read[name] = read_object(folder / name)
        except Damaged as error:
            yield f"{name} {error}", error.fix
            return
    if (folder / "tokenizer.json").exists() and not isinstance(read["tokenizer.json"].get("model"), dict):
        yield "tokenizer.json is no tokenizer: it has no model", "copy tokenizer.json of the same model again"
        return
    named = {key: text for key, value in read["special_tokens_map.json"].items() if (text := _token(value))}
    named |= {key: text for key, value in read["tokenizer_config.json"].items() if (text := _token(value))}
    ends = [named.get("eos_token"), config.get("eos_token_id"), read["generation_config.json"].get("eos_token_id")]
    if all(end in (None, []) for end in ends):
        fix = 'set "eos_token" in tokenizer_config.json to the token that ends a text of this model'
        yield "no end token is named, so an answer could not end", fix
    if not (folder / "added_tokens.json").exists() and "added_tokens_decoder" not in read["tokenizer_config.json"]:
        yield from _unknown_end(read["tokenizer.json"], named.get("eos_token"))
    yield from _ids_beyond(read["tokenizer.json"], config, ends[1:])
    if templated:
        yield from _template_faults(folder, read["tokenizer_config.json"], named)


def _token(value: object) -> str:
    return value if isinstance(value, str) else str(value.get("content", "")) if isinstance(value, dict) else ""


def _unknown_end(tokenizer: dict[str, Any], end: str | None) -> Iterator[Fault]:
    """transformers gives an unknown token a new id, for which the model has no embedding."""
    vocab = tokenizer.get("model", {}).get("vocab")
    if end is None or not vocab:
        return
    words = vocab if isinstance(vocab, dict) else {word for word, *_ in vocab}
    if end not in words and all(end != token.get("content") for token in tokenizer.get("added_tokens") or ()):
        fix = 'set "eos_token" in tokenizer_config.json to the token that ends a text of this model'
        yield f"its end token {end} is not in tokenizer.json", fix


def _ids_beyond(tokenizer: dict[str, Any], config: dict[str, Any], ends: list[Any]) -> Iterator[Fault]:
    """Ids for which the model has no embedding. Added tokens are let pass: a text has them only if the template does."""
    rows = config.get("vocab_size")
    if not isinstance(rows, int):
        return
    vocab = tokenizer.get("model", {}).get("vocab")
    highest = max(vocab.values(), default=-1) if isinstance(vocab, dict) else len(vocab or ()) - 1
    if highest >= rows:
        fix = "copy the tokenizer of the same model into the folder"
        yield f"the tokenizer has tokens up to id {highest}, the model has {rows} embeddings", fix
    for name, given in (("pad_token_id", [config.get("pad_token_id")]), ("eos_token_id", ends)):
        ids = [each for end in given for each in (end if isinstance(end, list) else [end]) if isinstance(each, int)]
        if ids and max(ids) >= rows:
            fix = f'set "{name}" in config.json and generation_config.json to an id below {rows}' + (
                ", for example that of the end token" if name == "pad_token_id" else ""
            )
            yield f"{name}={max(ids)} is beyond the model's {rows} embeddings", fix


def _template_faults(folder: Path, tokenizer_config: dict[str, Any], named: dict[str, str]) -> Iterator[Fault]:
    file = folder / "chat_template.jinja"
    template = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
    place = "chat_template.jinja" if template is not None else "the chat_template in tokenizer_config.json"
    if template is None:
        template = tokenizer_config.get("chat_template")
    if isinstance(template, list):  # several templates, each with a name
        template = next((each.get("template") for each in template if each.get("name") == "default"), None)
    if not isinstance(template, str) or not template.strip():
        fix = WITHOUT_TEMPLATE
        if (folder / "chat_template.json").is_file():
            fix = f"{OFFER_PLAIN}copy the text in chat_template.json into chat_template.jinja"
        yield "its tokenizer has no chat template", fix
    elif wrong := rendering_fault(template, named):
        yield f"{place} {wrong}", f"{OFFER_PLAIN}mend the template"


def rendering_fault(template: str, named: dict[str, str]) -> str:
    """What goes wrong where one question is put through the template, as transformers does it; "" where nothing does."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    rules = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    rules.globals |= {"raise_exception": raise_exception, "strftime_now": lambda form: "2026-01-31"}
    # A tag of transformers' own, which changes nothing in the text.
    plain = re.sub(r"\{%(-?)\s*(end)?generation\s*(-?)%\}", r"{%\1 if true \3%}{%\1 endif \3%}", template)
    asked = [{"role": "user", "content": MARK}]
    try:
        text = rules.from_string(plain).render(messages=asked, add_generation_prompt=True, **named)
    except jinja2.TemplateSyntaxError as error:
        return f"is not valid Jinja: line {error.lineno}: {error.message}"
    except Exception as error:  # what a template does is its own
        return f"cannot take a question: {type(error).__name__}: {error}"
    return "" if MARK in text else "leaves the question out"
