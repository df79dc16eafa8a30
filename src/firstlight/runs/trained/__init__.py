"""Trained networks as objects of a program: `Run` is one with its run folder."""

from firstlight.runs.trained.run import Run as Run
from firstlight.runs.trained.run import load_run as load_run
