"""What is trained on a model: LoRA and its variants, or all weights; and where it is attached."""
