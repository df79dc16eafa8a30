"""Sweeps: many runs, each with other words, launched side by side."""
