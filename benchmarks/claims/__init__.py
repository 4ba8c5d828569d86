"""One small file a claim. Each has TITLE, EARLIER, `trials(material)` and `verdict(results)`; `base.py` is the contract."""
