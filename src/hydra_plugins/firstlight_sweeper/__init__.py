"""Hydra's entrance to the sweeps of firstlight. Hydra imports this at each start, so it imports nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class FirstlightSweeper(Sweeper):
    """Trains the jobs of a sweep, see `firstlight.training.sweeps`. Its settings are the node `sweep` of the config."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._folder = str(config.hydra.sweep.dir)

    def sweep(self, arguments: Sequence[str]) -> Any:
        """Run the sweep; end the program if a job has failed."""
        from firstlight.training.sweeps.run import Mistakes, run_words

        try:
            result = run_words(arguments, self._folder)
        except Mistakes as mistakes:  # of several jobs, and so longer than the message of one
            raise SystemExit(str(mistakes)) from None
        if not result.is_successful:
            raise SystemExit(1)


@dataclass
class _Config:
    _target_: str = "hydra_plugins.firstlight_sweeper.FirstlightSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="firstlight", node=_Config, provider="firstlight")
