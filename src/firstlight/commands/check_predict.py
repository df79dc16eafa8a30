"""Mistakes in what predict.py is asked are found before anything heavy is imported."""

from pathlib import Path
from typing import Any

from firstlight.commands.imagenet_groups import check_group
from firstlight.config.checking.config import check_model
from firstlight.runs.run_folder import RunFolder


def check_task(task: dict[str, Any] | None) -> None:
    """The config's node, where the network or the user has picked one.

    Raises:
        ValueError: it is no classification.
    """
    if task is not None and not task["_target_"].endswith(".Classification"):
        raise ValueError("model: this network does not classify, so there are no labels to predict.")


def check_predict(run: str | Path | None, model: dict[str, Any] | None, group: str | None) -> None:
    """Either a run or a network with its weights predicts.

    Args:
        run: the run folder.
        model: the config's node; without a `_target_` no network is named.
        group: see `firstlight.commands.imagenet_groups`.

    Raises:
        ValueError: neither or both, no such run or group, or an option that the network does not take.
    """
    model = model or {}
    is_named = "_target_" in model
    if run is None and not is_named:
        raise ValueError(
            "run=RUN or model=NAME: one of them predicts, as in model=efficientnet_lite0; neither is given."
        )
    if run is not None and (is_named or model.get("weights")):
        raise ValueError(f"run={run}: its network is the run's own; leave out run, or model.")
    if group is not None:
        check_group(group)
    if run is not None:
        RunFolder.open(run)
    else:
        check_model(model)
