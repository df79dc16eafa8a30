"""Callbacks: records, progress, checkpoints and the step limit of a run."""

from firstlight.training.callbacks.checkpoints import Checkpoints as Checkpoints
from firstlight.training.callbacks.progress import Progress as Progress
from firstlight.training.callbacks.recorder import Recorder as Recorder
from firstlight.training.callbacks.run_callbacks import RunCallback as RunCallback
from firstlight.training.callbacks.run_callbacks import RunCallbacks as RunCallbacks
from firstlight.training.callbacks.step_limit import StepLimit as StepLimit
