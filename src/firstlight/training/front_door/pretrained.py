"""A network with published weights, which predicts without any training."""

from typing import TYPE_CHECKING, Any

from firstlight.training.front_door.network import TrainedNetwork

if TYPE_CHECKING:
    from firstlight.tasks import Task


class PretrainedNetwork(TrainedNetwork):
    """A network with published weights. `load_pretrained` returns it.

    Args:
        model: the node `model` of a config.
        group: a group of ImageNet's classes whose verdict is predicted too; None for none.
        accelerator: "auto", "cpu" or "gpu": where the network computes.
    """

    def __init__(self, model: dict[str, Any], *, group: str | None = None, accelerator: str = "auto") -> None:
        self._model = model
        self._group = group
        self._accelerator = accelerator

    @property
    def _interpolation(self) -> str:
        return self.spec.interpolation

    def _load(self) -> "Task":
        from firstlight.runs.device import pick_device
        from firstlight.runs.load import load_pretrained

        task = load_pretrained(self._model).to(pick_device(self._accelerator))
        if self._group is not None:
            task.use_group(self._group)
        return task
