"""The command `predict`."""

from typing import Any

from firstlight.commands.trained.job import check_run, run_trained
from firstlight.config.checking.config import check_arguments, check_model
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection
from firstlight.transfer.imagenet_groups import check_group


def main() -> None:
    """Entry point of scripts/predict.py: predict images, tables or texts with a trained network."""
    run_trained("predict", _job, texts=("input",))


def _job(config: dict[str, Any]) -> dict[str, Any]:
    options, task = config.pop("predict"), config.pop("task", None)
    check_task(task)  # first, because other tasks add keys that the next checks would report
    check_arguments("firstlight.runs.predict.predict", options, "predict")
    check_arguments("firstlight.runs.predict.predict", config)
    config["model"] = check_source(config["run"], config["model"])
    if config["run"] is not None:
        check_run(config)
    if options["group"] is not None:
        check_group(options["group"])
    with pause_garbage_collection():
        from firstlight.runs.predict import predict  # imports torch

    predict(**config, **options)
    return {}


def check_task(task: dict[str, Any] | None) -> None:
    """Check the node `task`, which the config of a network or the user sets.

    Raises:
        ValueError: the task is not classification.
    """
    if task is not None and not task["_target_"].endswith(".Classification"):
        raise ValueError("model: must be a network that classifies.")


def check_source(run: str | None, model: dict[str, Any] | None) -> dict[str, Any] | None:
    """Check that either a run or a network with pretrained weights predicts.

    Args:
        run: the run folder.
        model: the node `model`. It has a `_target_` if the user has named a network.

    Returns:
        The node of the network, or None if a run predicts.

    Raises:
        ValueError: neither or both are given, the run does not exist, or an option of the network is wrong.
    """
    model = model or {}
    is_named = "_target_" in model
    if run is None and not is_named:
        raise ValueError("run: must be set, as in run=RUN, or replaced by a network, as in model=efficientnet_lite0.")
    if run is not None and (is_named or model.get("weights")):
        raise ValueError(f"run={run}: must be left out if model is given, because a run has its own network.")
    if run is not None:
        RunFolder.open(run)
        return None
    check_model(model)
    return model
