"""Learning rate schedules: functions of firstlight, classes of torch, or the user's own.

A function is called as `scheduler(optimizer, run_length, *, options)`, see `Scheduler`; a class as in torch, see
`BoundScheduler`.
"""

from firstlight.training.schedulers.bound import BoundScheduler as BoundScheduler
from firstlight.training.schedulers.functions import constant as constant
from firstlight.training.schedulers.functions import cosine as cosine
from firstlight.training.schedulers.functions import onecycle as onecycle
from firstlight.training.schedulers.functions import plateau as plateau
from firstlight.training.schedulers.functions import step as step
from firstlight.training.schedulers.protocol import RunLength as RunLength
from firstlight.training.schedulers.protocol import Scheduler as Scheduler
