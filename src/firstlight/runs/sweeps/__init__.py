"""The folder of a sweep: its jobs, how each ended, and the results that are read from them."""

from firstlight.runs.sweeps.folder import SweepFolder as SweepFolder
from firstlight.runs.sweeps.job import Ending as Ending
from firstlight.runs.sweeps.job import Job as Job
from firstlight.runs.sweeps.job import State as State
from firstlight.runs.sweeps.ranking import Ranked as Ranked
from firstlight.runs.sweeps.record import JobRecord as JobRecord
from firstlight.runs.sweeps.screen import SweepScreen as SweepScreen
from firstlight.runs.sweeps.sequential import SequentialSweep as SequentialSweep
