"""The state of a training whose module is a LightningModule of the user."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.tasks.metrics.meters import Meter
from firstlight.training.callbacks import Learner, RunCallback
from firstlight.training.recovery.loss_guard import LossGuard, Place
from firstlight.training.trainees.epoch_seeds import EpochSeeds


class ModuleLearner(RunCallback):
    """Follows a LightningModule of the user: its metrics, its losses, and what Lightning's checkpoints leave out.

    Before each epoch, the global random numbers are seeded by the run's seed and the epoch. So an epoch of a resumed
    run shuffles and draws as that of an uninterrupted run.

    Checkpoints also hold what Lightning leaves out: the metrics that plateau schedulers wait for, because Lightning
    steps these after the checkpoint of the epoch; and the torchmetrics that last longer than an epoch, such as the best
    accuracy so far. Hyperparameters that are objects are replaced by their nodes of the config.

    Args:
        config: the config of the run.
        module: the module.
        set_epoch: called with the number of each epoch, counted from 0.

    Attributes:
        metrics, loss_guard, resumes_within_epoch, is_within_epoch, unfinished_epoch, validated: see `Learner`.
    """

    def __init__(self, config: RunConfig, module: LightningModule, set_epoch: Callable[[int], None]) -> None:
        self.config = config
        self.module = module
        self.metrics: dict[str, float] = {}
        self.loss_guard = LossGuard()
        self.resumes_within_epoch = False
        self.is_within_epoch = False
        self.unfinished_epoch: list[dict[str, Any]] | None = None
        self.validated: Meter | None = None
        self._set_epoch = set_epoch
        self._seeds = EpochSeeds(config.seed)
        self._before: dict[str, Tensor] = {}
        self._state: dict[str, Any] = {}  # of the epoch that has just ended
        self._restored: dict[str, Any] = {}  # from a checkpoint, until the next epoch begins

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        """Step the plateau schedulers of a resumed run, because its checkpoint is from before their steps."""
        values = self._restored.get("plateau", {})
        for config in trainer.lr_scheduler_configs:
            is_due = config.interval == "epoch" and trainer.current_epoch % config.frequency == 0
            if config.reduce_on_plateau and is_due and config.monitor in values:
                self.module.lr_scheduler_step(config.scheduler, values[config.monitor])

    def on_epoch_start(self, trainer: Trainer, learner: Learner) -> None:
        """Seed the random numbers of the epoch, and restore the torchmetrics of a resumed run."""
        self._set_epoch(trainer.current_epoch)
        self._seeds.begin(trainer)
        _restore(self.module, self._restored.pop("torchmetrics", {}))
        self.metrics.clear()
        self._before = dict(trainer.callback_metrics)

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        """Check that the loss is finite."""
        if isinstance(loss, Tensor) and loss.numel() == 1:
            place = Place(trainer.current_epoch + 1, trainer.global_step, trainer.fit_loop.batch_idx + 1)
            self.loss_guard.check(loss.detach(), lambda: place, trainer)

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Collect the metrics of the epoch, and what a resumed run needs of them, and log those of the training.

        Raises:
            ValueError: the epoch has been validated, and no metric is the monitored one.
        """
        self.loss_guard.read(trainer)
        logged = trainer.callback_metrics
        # Lightning keeps the values of earlier epochs; a value of this epoch is a new tensor.
        new = {name: float(value) for name, value in logged.items() if value is not self._before.get(name)}
        self.metrics |= without_twins(new)
        is_validated = not trainer.enable_validation or trainer.fit_loop.epoch_loop._should_check_val_epoch()
        if is_validated:
            choose("monitor", self.config.monitor, [*self.metrics], "metric")
        monitored = {config.monitor for config in trainer.lr_scheduler_configs if config.reduce_on_plateau}
        self._state = {
            "plateau": {name: logged[name] for name in monitored if name in logged},
            "torchmetrics": _lasting(self.module, trainer),
        }
        _log_epoch(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning's checkpoints leave out."""
        return self._state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep what `state_dict` returned, until the training starts."""
        self._restored = dict(state)

    def on_save(self, checkpoint: dict[str, Any]) -> None:
        """Add the config to a checkpoint, and replace hyperparameters that are objects by their nodes of the config."""
        checkpoint["config"] = self.config.to_plain()
        for key, node in {
            "hyper_parameters": self.config.task,
            "datamodule_hyper_parameters": self.config.data,
        }.items():
            if key in checkpoint:
                checkpoint[key] = {
                    name: value if _is_plain(value) else node.get(name, str(value))
                    for name, value in checkpoint[key].items()
                }


def without_twins(metrics: dict[str, float]) -> dict[str, float]:
    """Return metrics without `<name>_step` and `<name>_epoch`, which Lightning adds to a `<name>` that is both."""
    return {
        name: value
        for name, value in metrics.items()
        if name.removesuffix("_step").removesuffix("_epoch") not in metrics or not name.endswith(("_step", "_epoch"))
    }


def _log_epoch(trainer: Any) -> None:
    """Log the epoch's metrics of the training. Lightning does so after the checkpoint, where a kill could lose them."""
    metrics = {name: float(value) for name, value in trainer._logger_connector.metrics["log"].items()}  # no public name
    step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1  # as Lightning counts
    for logger in trainer.loggers:
        if getattr(logger, "drops_repetitions", False):
            logger.log_metrics(metrics, step)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return type(value) is dict and all(_is_plain(part) for part in (*value, *value.values()))
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str, Tensor)


def _lasting(module: LightningModule, trainer: Any) -> dict[str, Any]:
    """Return the states of the torchmetrics that have values now and that Lightning does not reset after the epoch."""
    logged = {id(result.value) for result in trainer._results.values() if not result.is_tensor}  # no public name
    return {
        name: {"count": metric.update_count, "state": {key: _copy(value) for key, value in metric.metric_state.items()}}
        for name, metric in module.named_modules()
        if isinstance(metric, Metric) and metric.update_count and id(metric) not in logged
    }


def _copy(value: Any) -> Any:
    return [part.clone() for part in value] if isinstance(value, list) else value.clone()


def _restore(module: LightningModule, saved: dict[str, Any]) -> None:
    metrics: dict[str, Any] = dict(module.named_modules())
    for name, entry in saved.items():
        for key, value in entry["state"].items():
            moved = [part.to(module.device) for part in value] if isinstance(value, list) else value.to(module.device)
            setattr(metrics[name], key, moved)
        metrics[name]._update_count, metrics[name]._computed = entry["count"], None  # no public setters
