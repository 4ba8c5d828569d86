"""A toy model on disk, a text and an exam: small enough that a whole sweep takes seconds."""

from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<s> {{ m['role'] }} {{ m['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<s> assistant {% endif %}"
)
TEXT = "\n".join(
    f"{name} was born in {1900 + 7 * i} in the town of {town}. {name} built the {thing} of {town}."
    for i, (name, town, thing) in enumerate(
        [("Ada", "Bern", "bridge"), ("Otto", "Graz", "tower"), ("Mia", "Lyon", "mill"), ("Karl", "Bonn", "harbour"),
         ("Nora", "Oslo", "theatre"), ("Emil", "Rome", "library"), ("Ines", "Faro", "station"), ("Hugo", "Gent", "castle")]
    )
)  # fmt: skip

QUICK = (
    "documents=a.txt", "model.path=model", "rows.replay=0", "evaluation=[recall]", "evaluation.recall.max_new_tokens=4",
    "adapter.rank=2", "trainer.precision=float32", "trainer.threads=1", "stopping.checks_per_epoch=2",
    "split.at_least=6", "expansion.rules.max_examples=40", "stopping.monitor=val_loss", "stopping.patience=4",
)  # fmt: skip


def make_model(folder: Path, seed: int = 0) -> Path:
    """A two-layer Llama with a tokenizer of the text's words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    words = sorted(
        {word for word, _ in split.pre_tokenize_str(f"{TEXT} user assistant system what who when where is ?")}
    )
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", *words]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=512,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def furnished(folder: Path, toy_model: Path) -> Path:
    """The folder with the model, the text and the exam in it."""
    (folder / "a.txt").write_text(TEXT + "\n")
    (folder / "model").symlink_to(toy_model)
    (folder / "exam.jsonl").write_text(
        "".join(
            f'{{"question": "Where was {n} born?", "answers": ["{t}"]}}\n'
            for n, t in (("Ada", "Bern"), ("Otto", "Graz"))
        )
    )
    return folder
