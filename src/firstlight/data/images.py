"""Image files of any size and mode, as the arrays that a network was trained on."""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# No others: Pillow hands EPS to a program that runs it. The last two are loaded late, and the rest of Pillow with them.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")

# What Pillow raises on files that are no images, or damaged ones.
_DAMAGES = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # an exception where warnings are made errors
)


def find_images(path: Path) -> list[Path]:
    """The file itself, or the images in a folder.

    Raises:
        ValueError: nothing there, or no images in it.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"input={path}: there is no such file or folder.")
    found = images_in(path)
    if not found:
        raise ValueError(f"input={path}: no images in this folder ({', '.join(SUFFIXES)}).")
    return found


def images_in(folder: Path) -> list[Path]:
    """All images in a folder and the folders in it, by name; nothing hidden, and no link to a folder is followed.

    A link to nothing is among them, so that it is told as an image that cannot be read.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(place, name) for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [path for path in paths if path.is_file() or not path.exists()]  # no pipe: it would be waited for
    return sorted(found)


@contextmanager
def refuse_decompression_bombs() -> Iterator[None]:
    """Pillow only warns of images up to twice too large, and of metadata that nobody needs.

    Around all threads, because these filters belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_image(
    path: Path, shape: tuple[int, ...], content: bytes | None = None, interpolation: str = "bilinear"
) -> np.ndarray:
    """An image as uint8 of `shape` (channels, height, width), with one channel for grey or three for colour.

    Turned as its EXIF data says, laid on white where it is transparent, resized so that it covers the shape, and
    cut at the centre.

    Args:
        path: of the file, in one of `FORMATS` whatever its suffix.
        shape: of the array.
        content: what is in the file, where it does not lie at `path` but in an archive.
        interpolation: bilinear or bicubic.

    Raises:
        ValueError: no image, a damaged one, or one so large that it may be an attack; names the file.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"The network takes {channels} channels: neither grey nor colour images will do.")
    try:
        with Image.open(path if content is None else io.BytesIO(content), formats=FORMATS) as opened:
            # A JPEG far larger than it has to be is decoded at a half, a quarter or an eighth, and that is faster.
            opened.draft(None, (2 * max(height, width),) * 2)
            image = _to_8_bits(ImageOps.exif_transpose(opened))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("L" if channels == 1 else "RGB")
    except _DAMAGES as error:
        raise ValueError(f"{path}: not an image that can be read ({error}).") from error
    fitted = np.asarray(ImageOps.fit(image, (width, height), Image.Resampling[interpolation.upper()]))
    return fitted[None] if channels == 1 else fitted.transpose(2, 0, 1)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey off at 255 where it should divide."""
    if not image.mode.startswith("I") and image.mode != "F":
        return image
    values = np.asarray(image).astype(np.float64)
    brightest = values.max(initial=0)
    if image.mode == "F":
        largest = 1 if brightest <= 1 else 255
    else:  # "I" may stand for 8 or 16 bits, "I;16" only for these
        largest = 65535 if image.mode != "I" or brightest > 255 else 255
    return Image.fromarray(np.clip(values * (255 / largest), 0, 255).astype(np.uint8))
