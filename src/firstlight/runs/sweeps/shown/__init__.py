"""What there is to see of a sweep: its table."""

from firstlight.runs.sweeps.shown.table import outcome as outcome
