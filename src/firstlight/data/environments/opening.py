"""Open an environment of Gymnasium, and describe what an agent observes and does in it."""

from typing import Any

import numpy as np

from firstlight.checks import printable, unknown
from firstlight.spec import DataSpec

_MAX_STEPS = 10_000  # of an episode, where the environment itself sets no limit
_WIDEST = 1e6  # bounds that lie further apart say nothing about the usual values


def open_environment(name: str, *, rendered: bool = False) -> Any:
    """Return a new environment.

    Args:
        name: its id in Gymnasium, such as "CartPole-v1".
        rendered: whether `render()` returns images (height, width, 3), uint8.

    Raises:
        ValueError: Gymnasium or another package is missing, or the id is unknown.
    """
    gymnasium = _package()
    if ":" in name:  # Gymnasium would import the module before the colon, and a run folder may name any
        raise ValueError(f"{_key(name)}: must be the id of an installed environment, without a module.")
    try:
        steps = gymnasium.spec(name).max_episode_steps or _MAX_STEPS
        mode = "rgb_array" if rendered else None
        return gymnasium.make(name, render_mode=mode, max_episode_steps=steps, disable_env_checker=True)
    except gymnasium.error.UnregisteredEnv:
        raise unknown("data.environment", printable(name, 80), list(gymnasium.registry), "environment") from None
    except (gymnasium.error.Error, ImportError) as error:
        raise ValueError(f"{_key(name)}: must be an environment that can be opened ({error}).") from error


def describe_environment(name: str, environment: Any) -> DataSpec:
    """Return the spec of an environment: numbers are its observations, and a network has an output for each action.

    Observations whose bounds are finite get the range -1 to 1; the others stay as they are.

    Raises:
        ValueError: the observations are not a row of numbers, or the actions are not numbered.
    """
    spaces = _package().spaces
    observed, actions = environment.observation_space, environment.action_space
    if not isinstance(observed, spaces.Box) or len(observed.shape) != 1:
        raise ValueError(f"{_key(name)}: must be observed as a row of numbers, and its observations are {observed}.")
    if not isinstance(actions, spaces.Discrete):
        raise ValueError(f"{_key(name)}: must have a list of actions to choose from, and its actions are {actions}.")
    low, high = observed.low.astype(float), observed.high.astype(float)
    with np.errstate(over="ignore", invalid="ignore"):
        is_bounded = (high - low > 0) & (high - low < _WIDEST)
        mean, std = np.where(is_bounded, (high + low) / 2, 0), np.where(is_bounded, (high - low) / 2, 1)
    return DataSpec(
        input_shape=observed.shape,
        num_outputs=int(actions.n),
        labels=tuple(f"action {number}" for number in range(actions.n)),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        environment=name,
    )


def _key(name: str) -> str:
    return f"data.environment={printable(name, 80)}"


def _package() -> Any:
    try:
        import gymnasium
    except ImportError:
        fix = 'pip install "firstlight[rl]"'
        raise ValueError(f"data.environment: must have the package gymnasium. To fix: {fix}") from None
    return gymnasium
