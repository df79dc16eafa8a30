"""Texts that are classified: found, cut into tokens, and put into batches of like length."""
