"""The part of the page for networks that decode latents: a seed and sliders become an image."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.randomness import generator
from firstlight.runs.demo.library import QUIETLY, answering, gradio
from firstlight.runs.demo.shown import enlarged
from firstlight.runs.demo.subject import Subject
from firstlight.tasks import Task

_NUM_SLIDERS = 8
_RANGE = 3.0  # standard deviations to each side; 99.7 % of a normal distribution
_BATCH = 100


class Latents:
    """Directions in the space of latents, and the images there.

    The sliders follow the principal components of the latents of samples, because single numbers of a latent may have
    no effect at all. Networks without an encoder, and runs without samples, have the axes instead.

    Args:
        subject: the run; its task has a generator or a decoder.
    """

    def __init__(self, subject: Subject) -> None:
        self.task = subject.task
        self.has_encoder = hasattr(self.task.network, "decode")
        samples = self._encode(subject.examples.raw) if self.has_encoder and len(subject.examples.raw) > 1 else None
        self.length = latent_length(self.task)
        self.mean, self.directions = _components(samples, self.length)
        self.is_normal = self.task.can_sample  # latents of a seed are drawn from the standard normal distribution

    @torch.inference_mode()
    def _encode(self, raw: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(raw).split(_BATCH)
        return np.concatenate([self.task.answers(part.to(self.task.device))["latents"].cpu().numpy() for part in parts])

    def start(self, seed: int) -> np.ndarray:
        """Return the latent of a seed, (latent_dim,).

        An autoencoder has no distribution of latents: those of its seeds are normal along the principal components.
        """
        if self.is_normal:
            return torch.randn(1, self.length, generator=generator(seed, "codes"))[0].numpy()
        weights = torch.randn(len(self.directions), generator=generator(seed, "codes")).numpy()
        return self.mean + weights @ self.directions

    @torch.inference_mode()
    def image(self, seed: float, *amounts: float) -> Any:
        """Return the image of a seed, moved along the directions by standard deviations.

        Raises:
            ValueError: the seed is missing.
        """
        if seed is None:
            raise ValueError("Seed: must be a whole number.")
        moves = np.array(amounts, np.float32) @ self.directions[: len(amounts)]
        latent = torch.from_numpy(np.float32(self.start(int(seed)) + moves))[None].to(self.task.device)
        return enlarged(decode(self.task, latent)[0])


def latent_length(task: Task) -> int:
    """Return the length of a task's latents."""
    return int(task.latent_dim or task.network.mean.out_features)


def decode(task: Task, latents: Tensor) -> Tensor:
    """Return images (batch, channels, height, width), from 0 to 1, of latents (batch, latent_dim)."""
    if task.latent_dim is not None:
        return task.answers(latents)["images"].clamp(0, 1)
    return task.as_pixels(task.network.decode(latents)).clamp(0, 1)  # type: ignore[operator]


def _components(samples: np.ndarray | None, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (latent_dim,) and the principal directions (directions, latent_dim), each one std long."""
    if samples is None:
        return np.zeros(length, np.float32), np.eye(length, dtype=np.float32)
    mean = samples.mean(0)
    _, sizes, directions = np.linalg.svd(samples - mean, full_matrices=False)
    return mean, (directions * (sizes / np.sqrt(len(samples)))[:, None]).astype(np.float32)


def add_latents(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, latents = gradio(), Latents(subject)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=340):
            seed = gr.Slider(1, 1000, 1, step=1, label="Seed")
            number = min(_NUM_SLIDERS, len(latents.directions))
            names = [f"Direction {place} (standard deviations)" for place in range(1, number + 1)]
            sliders = [gr.Slider(-_RANGE, _RANGE, 0, step=0.1, label=name) for name in names]
            reset = gr.Button("Sliders to 0")
        with gr.Column(min_width=340):
            image = gr.Image(
                latents.image(1),
                label="Image",
                interactive=False,
                format="png",
                buttons=[],
                height=380,
                elem_classes="pixels",
                elem_id="answer",
            )
    for slider in (seed, *sliders):
        slider.change(answering(latents.image), [seed, *sliders], image, trigger_mode="always_last", **QUIETLY)
    reset.click(lambda: [0] * number, None, sliders)
