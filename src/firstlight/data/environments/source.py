"""The data set of an agent: episodes of an environment, which it plays itself."""

from collections.abc import Mapping
from typing import Any

import torch

from firstlight.checks import check_range
from firstlight.data.environments.opening import describe_environment, open_environment
from firstlight.data.environments.player import as_row, as_tensor
from firstlight.data.source import Source
from firstlight.data.store import Arrays, Split, Store, content_key
from firstlight.randomness import derive
from firstlight.spec import DataSpec

_MAX_SEED = 2**31


class Environment(Source):
    """Episodes of an environment of Gymnasium (Towers et al. 2024), with numbers as observations and a list of actions.

    A sample is the beginning of an episode: its first observation (columns,) as input, and the seed of its reset (1,)
    as target. What follows depends on the agent. For validation and testing, the agent plays each episode to its end.
    For training, it plays as many environments at the same time as there are samples, one episode after another, and
    the task learns from what it finds there.

    Args:
        dir: as of every data set; an environment needs no files.
        environment: the id in Gymnasium, such as "CartPole-v1" or "MountainCar-v0".
        parallel: environments that are played at the same time in training.
        val_episodes: episodes of a validation. Their seeds are the same in every epoch and run.
        test_episodes: episodes of the test, with other seeds.
        batch_size: samples of one step of the optimizer, drawn from what the agent has seen.

    Raises:
        ValueError: an argument is out of its range, gymnasium is missing, or the environment is unknown, is observed as
            images, or has actions that are not numbered.
    """

    name = "cartpole"

    def __init__(
        self,
        dir: str,
        *,
        environment: str = "CartPole-v1",
        parallel: int = 8,
        val_episodes: int = 20,
        test_episodes: int = 100,
        batch_size: int = 64,
    ) -> None:
        super().__init__(dir, batch_size=batch_size)
        for key, value in {"parallel": parallel, "val_episodes": val_episodes, "test_episodes": test_episodes}.items():
            check_range(f"data.{key}", value, at_least=1)
        if batch_size == "all":  # a config may say so
            raise ValueError("data.batch_size=all: must be a number, because an agent always finds more samples.")
        self.environment = environment
        self.numbers = {"train": parallel, "val": val_episodes, "test": test_episodes}

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read nothing, because no arrays are stored.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def store(self) -> Store:
        """Return the beginnings of the episodes, in memory."""
        opened = open_environment(self.environment)
        spec = describe_environment(self.environment, opened)
        splits = {split: self._beginnings(opened, split, 0) for split in self.numbers}
        content = {f"{split}.inputs": content_key(found.inputs.tolist()) for split, found in splits.items()}
        return Store(spec, splits, content=content, stored=splits)

    def splits(self, seed: int) -> tuple[Store, dict[str, Split]]:
        """Return the store and its splits. The seed of the run decides which episodes the agent trains on."""
        store, splits = super().splits(seed)
        return store, splits | {"train": self._beginnings(open_environment(self.environment), "train", seed)}

    def _beginnings(self, environment: Any, split: str, seed: int) -> Split:
        seeds = [derive(seed, "episodes", split, number) % _MAX_SEED for number in range(self.numbers[split])]
        first = as_tensor([as_row(environment.reset(seed=each)[0]) for each in seeds])
        return Split(first, torch.tensor(seeds)[:, None])

    def summary(self, spec: DataSpec, splits: Mapping[str, Split]) -> list[str]:
        """Return a line with what the agent sees and does, and the number of its episodes."""
        return [
            f"{self.environment}: {spec.input_shape[0]} numbers observed, {spec.num_outputs} actions;"
            f" {len(splits['train'])} environments in training, {len(splits['val'])} episodes for validation,"
            f" {len(splits['test'])} for testing"
        ]
