"""The small experiments of the course: each is one command that prints its numbers and draws a figure.

`functions` has the activations as formulas, `figures` and `tables` show results; every other module is an experiment.
"""
