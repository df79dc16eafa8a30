"""Vectors of tokens that were learned elsewhere, as initial weights."""
