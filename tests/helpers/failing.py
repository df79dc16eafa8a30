"""A callback that stops a run at the worst moment, and loggers of a user."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, ClassVar

from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger


class FailingOnce(Callback):
    """Raises an error while the second checkpoint is made: its epoch has been logged. Another process does not fail."""

    error: ClassVar[BaseException | None] = None
    _num_calls = 0

    def state_dict(self) -> dict[str, Any]:
        self._num_calls += 1
        if self._num_calls == 2 and FailingOnce.error is not None:
            error, FailingOnce.error = FailingOnce.error, None
            raise error
        return {}


class Mine(Logger):
    """Keeps what it gets."""

    latest: ClassVar["Mine"]

    def __init__(self, save_dir: str, colour: str = "red") -> None:
        Mine.latest = self
        self.folder, self.colour = save_dir, colour
        self.hyperparameters: dict[str, Any] = {}
        self.rows: list[tuple[int | None, dict[str, float]]] = []
        self.images: list[str] = []
        self.ends: list[str] = []

    @property
    def name(self) -> str:
        return "mine"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        self.hyperparameters |= dict(params if isinstance(params, dict) else vars(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.rows.append((step, dict(metrics)))

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        self.images.append(key)

    def finalize(self, status: str) -> None:
        self.ends.append(status)
