"""Chat templates in the style of well-known models, each with what ends its turns, and a tokenizer for any of them."""

from dataclasses import dataclass, field
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Style:
    template: str
    end: str  # how a taught row ends
    special: tuple[str, ...] = ()  # in the vocabulary, without a name
    eos: str | None = "<eos>"
    opening: str = ""  # how the prompt ends
    stops: tuple[str, ...] = ()  # in words, where no token ends a turn
    more: dict[str, Any] = field(default_factory=dict)  # for a plain call of the template to give the same rows


STYLES = {
    "gemma": Style(
        "{{ bos_token }}{% for m in messages %}"
        "{% if m.role == 'system' or (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}{% endif %}"
        "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
        "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        end="<end_of_turn>",
        special=("<start_of_turn>", "<end_of_turn>"),
        opening="<start_of_turn>model\n",
    ),
    "llama3": Style(
        "{{ bos_token }}{% if not date_string is defined %}{% if strftime_now is defined %}"
        "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}{% endif %}"
        "<|header|>system<|/header|>\n\nToday: {{ date_string }}<|eot|>"
        "{% for m in messages %}<|header|>{{ m.role }}<|/header|>\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|header|>assistant<|/header|>\n\n{% endif %}",
        end="<|eot|>",
        special=("<|header|>", "<|/header|>", "<|eot|>"),
        opening="<|header|>assistant<|/header|>\n\n",
    ),
    "qwen3": Style(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}"
        "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
        end="<|im_end|>",
        special=("<|im_start|>", "<|im_end|>"),
        opening="<|im_start|>assistant\n<think>\n\n</think>\n\n",
        more={"enable_thinking": False},
    ),
    "qwen3.5": Style(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n"
        "{{ '\n</think>\n\n' if enable_thinking is defined and not enable_thinking }}{% endif %}",
        end="<|im_end|>",
        special=("<|im_start|>", "<|im_end|>"),
        opening="<|im_start|>assistant\n<think>\n\n</think>\n\n",
        more={"enable_thinking": False},
    ),
    "smollm3": Style(
        "{% set mode = '/think' if enable_thinking | default(true) else '/no_think' %}"
        "<|im_start|>system\nToday: {{ strftime_now('%d %B %Y') }}\nMode: {{ mode }}<|im_end|>\n"
        "{% set block = '' if mode == '/think' else '<think>\n\n</think>\n' %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ block if m.role == 'assistant' }}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{{ block }}{% endif %}",
        end="<|im_end|>",
        special=("<|im_start|>", "<|im_end|>"),
        eos="<|im_end|>",
        opening="<|im_start|>assistant\n<think>\n\n</think>\n",
        more={"enable_thinking": False},
    ),
    "mistral": Style(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        end="<eos>",
        special=("[INST]", "[/INST]"),
        opening=" [/INST]",
    ),
    "phi": Style(
        "{% for m in messages %}{{ '<|' + m.role + '|>' }}{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        end="<|end|>",
        special=("<|user|>", "<|assistant|>", "<|end|>"),
        opening="<|assistant|>",
    ),
    "deepseek": Style(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}"
        "{% else %}<|Assistant|>{{ m.content.split('</think>') | last }}<eos>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}",
        end="<eos>",
        special=("<|User|>", "<|Assistant|>"),
        opening="<|Assistant|>",
    ),
    "glm": Style(  # no token stands behind an answer: the model says who speaks next
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        end="<|user|>",
        special=("<|user|>", "<|assistant|>"),
        opening="<|assistant|>\n",
    ),
    "gpt_oss": Style(
        "{% for m in messages %}{% if m.role == 'assistant' %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}"
        "{{ '<|return|>' if loop.last else '<|end|>' }}{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        end="<|return|>",
        special=("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>"),
        opening="<|start|>assistant<|channel|>final<|message|>",
    ),
    "undeclared": Style(  # ends that the tokenizer reads as several tokens
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        end="<|im_end|><eos>",
        opening="<|im_start|>assistant\n",
        stops=("<|im_end|>", "\n<|im_start|>user"),
    ),
    "blank_lines": Style(
        "{% for m in messages %}{{ m.role | title }}: {{ m.content }}\n\n{% endfor %}"
        "{% if add_generation_prompt %}Assistant:{% endif %}",
        end="<eos>",
        opening="Assistant:",
        stops=("\nUser:",),
    ),
    "without_an_end": Style(
        "{% for m in messages %}{{ m.role | title }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}Assistant:{% endif %}",
        end="\nUser:",
        eos=None,
        opening="Assistant:",
        stops=("User:",),
    ),
    "wants_a_system": Style(
        "{% if messages[0].role != 'system' %}{{ raise_exception('a system turn comes first') }}{% endif %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        end="<|im_end|>",
        special=("<|im_start|>", "<|im_end|>"),
        opening="<|im_start|>assistant\n",
    ),
    "in_parts": Style(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% for part in m.content %}{{ part.text if part.type == 'text' else '' }}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        end="<|im_end|>",
        special=("<|im_start|>", "<|im_end|>"),
        opening="<|im_start|>assistant\n",
    ),
    "says_A": Style(  # the answer's letter stands elsewhere too
        "A: {% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>A{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant:{% endif %}",
        end="</s>",
        special=("<s>", "</s>"),
        opening="<s>assistant:",
    ),
}  # fmt: skip


def tokenizer(style: Style, begins_with_bos: bool = False) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    lines_and_words = pre_tokenizers.Split(
        Regex(r"\s*[\r\n]+| ?\w+| ?[^\s\w]+|\s+"), "isolated"
    )  # as most models today
    raw.pre_tokenizer = pre_tokenizers.Sequence([lines_and_words, pre_tokenizers.ByteLevel(False, use_regex=False)])
    raw.decoder = decoders.ByteLevel()
    named = [name for name in ("<pad>", "<bos>", style.eos) if name and name not in style.special]
    special = [*dict.fromkeys([*named, *style.special])]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    raw.train_from_iterator(["Where was Ada born? In Bern.\n\nAnswer: Bern.\n\n"] * 3, trainer)
    if begins_with_bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", raw.token_to_id("<bos>"))]
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<bos>", eos_token=style.eos, pad_token="<pad>")
    fast.chat_template = style.template
    return fast
