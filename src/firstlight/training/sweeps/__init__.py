"""Sweeps: from words that name several values to jobs, which are checked, trained, pruned and continued.

`space` reads the values, `search` asks for the next trial, `checking` builds every job before any is trained, and
`loop` trains them. `runs.sweeps` holds what a sweep leaves on disk.
"""
