"""Runs: the folder that a run leaves, and what needs nothing else: loading, evaluation, sweeps, summaries."""
