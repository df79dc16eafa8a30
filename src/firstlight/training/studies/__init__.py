"""Studies of Optuna: where their trials are stored, how values are sampled, and which trials are pruned.

Optuna is imported by sweeps alone.
"""
