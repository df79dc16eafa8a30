"""Training: from a config to a run folder, in one process or several. Only this package knows Lightning.

`assemble` builds the parts, `fit` trains, tests and reports, and `callbacks` holds what happens beside the steps.
"""

from firstlight.training.run import resume as resume
from firstlight.training.run import train as train
