"""What a model's folder says without torch: its class, weights, tokenizer and chat template."""
