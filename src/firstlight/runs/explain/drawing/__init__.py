"""Figures of explanations: each file draws one kind."""
