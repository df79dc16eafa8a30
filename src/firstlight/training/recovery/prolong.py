"""Give a run more epochs or steps than it was begun with.

With `scheduler=constant`, `step` and `plateau`, and classes of torch whose options give the length themselves, a
prolonged run ends like a run that had the new length from the beginning. The rates of all others, and warm-ups, depend
on the length of the run: the steps so far had the rates of the old length, and the next ones have those of the new
length, at their place in it.
"""

from typing import Any

from firstlight.config import RunConfig
from firstlight.config.checking.source_code.signature import parameters
from firstlight.runs import RunFolder


def check_longer(folder: RunFolder, old: RunConfig, new: RunConfig) -> None:
    """Check that the new limits lie after what the run has trained, and print what happens to the learning rate.

    Args:
        folder: the run folder.
        old: the config with which the run was trained.
        new: the config with other limits.

    Raises:
        ValueError: the run has nothing left to train, or ended for another reason than its limits.
    """
    rows = folder.history()
    epochs, steps = (int(rows[-1]["epoch"]), int(rows[-1]["step"])) if rows else (0, 0)
    trained = {"max_epochs": epochs, "max_steps": steps}
    has_completed = folder.metrics().get("status") == "completed"
    if has_completed and not any(_reaches(trained[key], limit) for key, limit in _limits(old).items()):
        raise ValueError(
            f"resume={folder.path}: must be a run that ended at its limit, and this one stopped before, after epoch"
            f" {epochs}, because it no longer improved (patience, or a callback)."
        )
    for key, limit in _limits(new).items():
        if trained[key] > limit > 0 or (has_completed and _reaches(trained[key], limit)):
            raise ValueError(f"trainer.{key}={limit}: must be more than {trained[key]}, which the run has trained.")
    if _limits(old) != _limits(new) and _depends_on_length(new.scheduler):
        print("The learning rate goes on as in a run of the new length, from this step on; so far it had the old one.")


def _limits(config: RunConfig) -> dict[str, int]:
    """Return the limits of a run; -1 is none. Lightning's own limit, if there is none, is 1,000 epochs."""
    return {"max_epochs": config.trainer.get("max_epochs") or -1, "max_steps": config.max_steps or -1}


def _reaches(trained: int, limit: int) -> bool:
    return 0 < limit <= trained


def _depends_on_length(scheduler: dict[str, Any]) -> bool:
    target = str(scheduler.get("_target_", ""))  # empty for a LightningModule, which has its own schedulers
    name = target.rsplit(".", 1)[-1]
    if name in ("cosine", "onecycle") or (name in ("constant", "step", "plateau") and scheduler.get("warmup", 0) > 0):
        return True
    # Classes of torch get these from the length of the run, unless the config gives them.
    needed = ((parameters(target) if target else None) or {}).keys() & {"T_max", "total_steps"}
    return bool(needed - scheduler.keys()) and "epochs" not in scheduler
