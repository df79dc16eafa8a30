"""Helpers of several test modules: generated data, small tasks, stopped runs."""
