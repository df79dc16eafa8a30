"""Environments of Gymnasium, in which an agent plays episodes. They need the extra `rl`."""
