"""Launchers: they run the jobs of a sweep, each in a process of its own, and report how each ended.

`local` runs them on this machine, `clusters` on others.
"""

from firstlight.training.sweeps.launch.launcher import Launcher as Launcher
from firstlight.training.sweeps.launch.launcher import Limits as Limits
from firstlight.training.sweeps.launch.launcher import end_all as end_all
