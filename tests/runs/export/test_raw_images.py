"""The resize inside an exported network gives the pixels of `read_image`, whatever the size and mode of the image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.data.images.reading import FITS, read_image
from firstlight.runs.export.raw_images import RawImages
from firstlight.spec import DataSpec

BANDS = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("mode", BANDS)
def test_pixels_are_those_of_read_image(mode: str, interpolation: str, fit: str, tmp_path: Path) -> None:
    random = np.random.default_rng([*map(ord, mode + fit)])
    for size in ((30, 900), (1, 1), (97, 3), (120, 119), (400, 61), tuple(random.integers(2, 90, 2))):
        pixels = random.integers(0, 256, (*size, BANDS[mode]), dtype=np.uint8)
        if mode in ("LA", "RGBA"):
            pixels[: size[0] // 2, :, -1] = 255
        path = tmp_path / "image.png"
        Image.fromarray(pixels.squeeze(2) if mode == "L" else pixels, mode).save(path)
        for channels, height, width in ((1, 28, 28), (3, 20, 33)):
            half = (0.5,) * channels
            spec = DataSpec((channels, height, width), 1, ("a",), mean=half, std=half, fit=fit)
            wanted = read_image(path, spec.stored_shape, interpolation=interpolation, fit=fit)
            decoded = np.array(Image.open(path).convert("RGBA"))[None]
            found = RawImages(spec, interpolation)(torch.from_numpy(decoded))[0]
            assert (found.numpy() == wanted).all(), (size, channels)
