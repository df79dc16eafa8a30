"""Convert images of any mode to 8 bits without transparency, with little more memory than the image itself."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

_BAND = 1 << 22  # pixels that are converted at a time


def convert(image: Image.Image, mode: str, factor: int) -> Image.Image:
    """Return an image in 8 bits, with white instead of transparency.

    The image is converted in bands, so that only one band at a time exists in other forms.

    Args:
        image: the image.
        mode: "L" or "RGB".
        factor: factor by which height and width are reduced, which saves memory if the image is huge.
    """
    image.load()
    if image.mode == mode and factor == 1 and not image.has_transparency_data:
        return image
    white = _white(image)

    def change(band: Image.Image) -> Image.Image:
        if white:
            band = _to_8_bits(band, white)
        if band.has_transparency_data:
            band = band.convert("RGBA")
            band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
        band = band.convert(mode)
        return band if factor == 1 else band.reduce(factor)

    changed = ((top, change(band)) for top, band in _bands(image, factor))
    top, first = next(changed)
    if first.height * factor >= image.height:
        return first
    result = Image.new(mode, (first.width, -(-image.height // factor)))
    result.paste(first, (0, top))
    for top, band in changed:
        result.paste(band, (0, top // factor))
    return result


def _bands(image: Image.Image, multiple: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield horizontal bands and their top rows; the rows of each band except the last are a multiple of `multiple`."""
    rows = max(1, _BAND // (image.width * multiple)) * multiple
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _white(image: Image.Image) -> float | None:
    """Return the value of white in an image with more than 8 bits per channel, and None for other images."""
    if not image.mode.startswith("I") and image.mode != "F":
        return None
    brightest = np.max([np.asarray(band).max(initial=0) for _, band in _bands(image, 1)])
    if image.mode == "F":
        return 1 if brightest <= 1 else 255
    # Mode "I" may contain 8 or 16 bits, "I;16" always 16.
    return 65535 if image.mode != "I" or brightest > 255 else 255


def _to_8_bits(image: Image.Image, white: float) -> Image.Image:
    """Scale the values to 0 to 255; Pillow clips them at 255 instead."""
    values = np.asarray(image).astype(np.float64)
    return Image.fromarray(np.clip(values * (255 / white), 0, 255).astype(np.uint8))
