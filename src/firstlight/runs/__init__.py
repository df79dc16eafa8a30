"""Runs: the folder that a run leaves, and what needs nothing else: loading, evaluation, sweeps and summaries.

`load`, `evaluate`, `summary` and `device` import torch, so they are imported by their own names.
"""

from firstlight.runs.run_folder import RunFolder as RunFolder
from firstlight.runs.sweep import Sweep as Sweep
