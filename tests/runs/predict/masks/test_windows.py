from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from firstlight.augment import Augment
from firstlight.runs.predict.masks.windows import mask_of
from firstlight.spec import DataSpec
from firstlight.tasks import Segmentation

SPEC = DataSpec((1, 24, 24), 2, ("dark", "light"), (0.5,), (0.25,), target_type="masks")


class ByBrightness(nn.Module):
    """Class 1 for pixels above the mean of the data."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([-inputs[:, :1], inputs[:, :1]], 1)


def task_for(**changes: Any) -> Segmentation:
    spec = replace(SPEC, **changes)
    return Segmentation(spec, ByBrightness(), Augment(spec)).eval()


def smooth(width: int, height: int) -> Image.Image:
    """Return an image with a light disc, whose border is blurred."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((x + 0.5) / width - 0.62, (y + 0.5) / height - 0.4)
    return Image.fromarray((255 / (1 + np.exp((distance - 0.25) * 25))).astype(np.uint8))


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("size", [(24, 24), (131, 60), (41, 97)], ids=str)
def test_each_pixel_of_the_image_gets_its_class(fit: str, margin: int, size: tuple[int, int]) -> None:
    image = smooth(*size)
    found = mask_of(task_for(fit=fit, margin=margin), image, "bilinear")
    expected = np.asarray(image) > 127
    assert found.shape == expected.shape
    assert (found == expected).mean() > 0.985  # all but pixels at the border of the disc
    assert 0.05 < expected.mean() < 0.5
    inverted = mask_of(
        task_for(fit=fit, margin=margin), Image.fromarray(255 - np.asarray(image)), "bilinear", inverted=True
    )
    assert (inverted == expected).mean() > 0.985


def test_an_image_of_the_networks_shape_is_seen_once_and_as_it_is() -> None:
    task = task_for()
    seen: list[torch.Tensor] = []
    task.network.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8))
    found = mask_of(task, image, "bilinear")
    assert np.array_equal(found, np.asarray(image) > 127)
    assert [len(part) for part in seen] == [1]
    mask_of(task, smooth(60, 24), "bilinear")
    assert [len(part) for part in seen] == [1, 3]
