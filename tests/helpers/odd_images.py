"""Images of unusual sizes and modes, and how an exported network gets them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def write_odd_images(folder: Path) -> None:
    """Write images of unusual sizes and modes: long, tiny, 16 bit, transparent, rotated by EXIF, black on white."""
    folder.mkdir()
    random = np.random.default_rng(1)

    def pixels(*shape: int) -> np.ndarray:
        return random.integers(0, 256, shape, dtype=np.uint8)

    rotated = Image.Exif()
    rotated[0x0112] = 6
    drawn = np.full((300, 300, 3), 255, dtype=np.uint8)
    drawn[100:200, 140:160] = 0
    images: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "long.png": (Image.fromarray(pixels(30, 900)), {}),
        "colour.png": (Image.fromarray(pixels(57, 31, 3)), {}),
        "transparent.png": (Image.fromarray(pixels(57, 31, 4)), {}),
        "tiny.png": (Image.fromarray(pixels(3, 2)), {}),
        "deep.png": (Image.fromarray(random.integers(0, 2**16, (20, 31), dtype=np.uint16)), {}),
        "rotated.png": (Image.fromarray(pixels(20, 31, 3)), {"exif": rotated}),
        "rotated.jpg": (Image.fromarray(pixels(9, 14, 3)), {"exif": rotated}),
        "palette.gif": (Image.fromarray(pixels(25, 25) % 9, "P"), {"transparency": 3}),
        "drawn.png": (Image.fromarray(drawn), {}),
    }
    for name, (image, options) in images.items():
        image.save(folder / name, **options)


def decoded(path: Path) -> np.ndarray:
    """Return an image as the input of an exported network (1, height, width, 4), as the guide does it."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16 bits
            image = Image.fromarray((np.asarray(image) * (255 / 65535)).astype("uint8"))
        return np.array(image.convert("RGBA"))[None]
