"""Callbacks: records, progress, checkpoints, the step limit of a run, and its end by a signal or by a sweep."""

from firstlight.training.callbacks.checkpoints import Checkpoints as Checkpoints
from firstlight.training.callbacks.learner import Learner as Learner
from firstlight.training.callbacks.progress import Progress as Progress
from firstlight.training.callbacks.pruning import Pruning as Pruning
from firstlight.training.callbacks.recorder import Recorder as Recorder
from firstlight.training.callbacks.run_callbacks import RunCallback as RunCallback
from firstlight.training.callbacks.run_callbacks import RunCallbacks as RunCallbacks
from firstlight.training.callbacks.step_limit import StepLimit as StepLimit
from firstlight.training.callbacks.stop_on_signal import StopOnSignal as StopOnSignal
