"""Runs: the folder of a run, and everything that uses a trained run: evaluation, prediction, sampling, summaries.

This `__init__` imports only the modules that do without torch.
"""

from firstlight.runs.run_folder import RunFolder as RunFolder
