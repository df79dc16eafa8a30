from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from firstlight.runs.demo.parts.latents import Latents, decode
from firstlight.runs.demo.shown import enlarged
from firstlight.runs.demo.subject import Subject

WORDS = {name: ("data=digits", f"model={name}") for name in ("gan", "vae", "autoencoder")}


@pytest.mark.parametrize("name", WORDS)
def test_a_seed_and_the_sliders_make_an_image(name: str, subject: Callable[..., Subject]) -> None:
    latents = Latents(subject(*WORDS[name]))
    image = latents.image(1, *[0.0] * 8)
    assert image.size == (256, 256)
    assert image == latents.image(1)
    assert image != latents.image(2)
    assert image != latents.image(1, 3.0)


@pytest.mark.parametrize("name", ["gan", "vae"])
def test_a_seed_is_that_of_sample(name: str, subject: Callable[..., Subject]) -> None:
    loaded = subject(*WORDS[name])
    sampled = loaded.task.sample(seed=5, number=1)
    assert isinstance(sampled, Tensor)
    assert Latents(loaded).image(5) == enlarged(sampled[0])


def test_directions_of_an_autoencoder_are_principal_components(subject: Callable[..., Subject]) -> None:
    loaded = subject(*WORDS["autoencoder"])
    latents = Latents(loaded)
    with torch.inference_mode():
        samples = loaded.task.answers(torch.from_numpy(loaded.examples.raw))["latents"].numpy()
    sizes = np.linalg.norm(latents.directions, axis=1)
    assert (np.diff(sizes) <= 1e-6).all()
    first = latents.directions[0] / sizes[0]
    assert ((samples - samples.mean(0)) @ first).std() == pytest.approx(sizes[0], rel=1e-3)


def test_a_run_without_data_has_axes(subject: Callable[..., Subject]) -> None:
    loaded = subject(*WORDS["autoencoder"])
    nothing = replace(loaded.examples, raw=loaded.examples.raw[:0], targets=loaded.examples.targets[:0])
    latents = Latents(replace(loaded, examples=nothing))
    assert np.array_equal(latents.directions, np.eye(latents.length))


def test_images_are_from_0_to_1(subject: Callable[..., Subject]) -> None:
    task = subject(*WORDS["autoencoder"]).task
    images = decode(task, 100 * torch.randn(4, 32, generator=torch.Generator().manual_seed(0)))
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_missing_seed_is_named(subject: Callable[..., Subject]) -> None:
    with pytest.raises(ValueError, match="Seed: must be a whole number"):
        Latents(subject(*WORDS["gan"])).image(None)  # type: ignore[arg-type]
