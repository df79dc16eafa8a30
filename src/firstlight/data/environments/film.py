"""An episode as an animation."""

import os
from typing import Any

import numpy as np
import torch
from PIL import Image

from firstlight.data.environments.opening import open_environment
from firstlight.data.environments.player import Policy, as_row, as_tensor
from firstlight.data.images.animation import Animation

_FRAMES_PER_SECOND = 25  # many programs show a GIF with more frames too slowly
_WIDTH = 300  # pixels


def film_episode(environment: str, seed: int, policy: Policy) -> Animation:
    """Play an episode, and return what it looks like. Its frames are at most 300 pixels wide.

    Args:
        environment: the id of the environment, see `open_environment`.
        seed: the seed of its reset.
        policy: chooses the actions.

    Raises:
        ValueError: the environment cannot be opened, or draws nothing because a package is missing.
    """
    opened = open_environment(environment, rendered=True)
    speed = opened.metadata.get("render_fps", _FRAMES_PER_SECOND)
    every = max(1, round(speed / _FRAMES_PER_SECOND))
    observation, first = opened.reset(seed=seed)[0], int(opened.action_space.start)
    frames, total, steps, over = [_frame(opened, environment)], 0.0, 0, False
    while not over:
        action = int(policy(as_tensor([as_row(observation)]))[0])
        observation, reward, ended, stopped, _ = opened.step(first + action)
        total, steps, over = total + float(reward), steps + 1, bool(ended or stopped)
        if over or steps % every == 0:
            frames.append(_frame(opened, environment))
    opened.close()
    caption = f"an episode of {environment} with a return of {total:g} in {steps:,} steps"
    return Animation(torch.stack(frames), round(100 * every / speed) * 10, caption)


def _frame(opened: Any, environment: str) -> torch.Tensor:
    for kind in ("VIDEO", "AUDIO"):  # pygame opens no window here, and complains on machines without a screen
        os.environ.setdefault(f"SDL_{kind}DRIVER", "dummy")
    try:
        pixels = opened.render()
    except Exception as error:  # gymnasium raises errors of its own, and each environment those of its package
        raise ValueError(f"data.environment={environment}: must be one that draws itself ({error}).") from error
    image = Image.fromarray(pixels)
    image.thumbnail((_WIDTH, _WIDTH))
    return torch.from_numpy(np.array(image))
