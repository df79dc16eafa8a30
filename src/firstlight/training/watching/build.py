"""From the options of `watch` to the callbacks that watch."""

from firstlight.config.options import Watch
from firstlight.tasks import Task
from firstlight.training.callbacks import Recorder, RunCallback
from firstlight.training.watching.gap import Gap
from firstlight.training.watching.layers import Layers


def watchers(watch: Watch, recorder: Recorder, task: Task | None, seed: int) -> list[RunCallback]:
    """Return the callbacks for what a run watches; they must be called before the recorder.

    Args:
        watch: the options.
        recorder: passes on what is seen to the loggers.
        task: the task that is trained; None for a LightningModule, which is not watched.
        seed: decides which training samples are compared with the validation.
    """
    if task is None:
        return []
    found: list[RunCallback] = []
    if watch.gap is not None:
        found.append(Gap(task, watch.gap, seed))
    if watch.sees_layers:
        found.append(Layers(task, watch, recorder))
    return found
