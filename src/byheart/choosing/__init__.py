"""Compares base models on sample questions before any long training, and recommends one."""
