"""Find image files, and read them as arrays of one shape, whatever their size and mode."""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from firstlight.files import cannot_read

# Other formats are not read: Pillow passes EPS to a program that executes it. WEBP and TIFF come last, because Pillow
# imports all of its plugins to read them.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")

# Errors of Pillow for files that are damaged or not images.
_IMAGE_ERRORS = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # an exception if warnings are turned into errors
)


def find_images(path: Path) -> list[Path]:
    """Return the file itself, or the images in a folder.

    Raises:
        ValueError: the path does not exist, or the folder contains no images.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"input={path}: must be an existing file or folder.")
    found = images_in(path)
    if not found:
        raise ValueError(f"input={path}: must be a folder with images ({', '.join(SUFFIXES)}).")
    return found


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, sorted; hidden files and links to folders are ignored.

    Broken links are included, so that reading them raises an error.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(place, name) for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [path for path in paths if path.is_file() or not path.exists()]  # reading a named pipe would block
    return sorted(found)


@contextmanager
def refuse_decompression_bombs() -> Iterator[None]:
    """Turn Pillow's warning of very large images into an error, and ignore its warnings of damaged metadata.

    Enter this context outside of all threads, because warning filters belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_image(
    path: Path, shape: tuple[int, ...], content: bytes | None = None, interpolation: str = "bilinear"
) -> np.ndarray:
    """Return an image as uint8 of `shape` (channels, height, width), with one channel for grey or three for colour.

    The image is rotated by its EXIF orientation, transparent parts become white, and the image is resized until it
    covers the shape, and cropped at the centre.

    Args:
        path: path of the file, whose format is one of `FORMATS`, whatever its suffix.
        shape: shape of the array.
        content: content of the file, for an image in an archive; None reads the file at `path`.
        interpolation: bilinear or bicubic.

    Raises:
        ValueError: the file is not an image, is damaged, or is so large that it may be a decompression bomb.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"channels={channels}: must be 1 (grey) or 3 (colour) to read image files.")
    try:
        with Image.open(path if content is None else io.BytesIO(content), formats=FORMATS) as opened:
            # Decode a JPEG that is much larger than the shape at 1/2, 1/4 or 1/8 of its size, which is faster.
            opened.draft(None, (2 * max(height, width),) * 2)
            image = _to_8_bits(ImageOps.exif_transpose(opened))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("L" if channels == 1 else "RGB")
    except _IMAGE_ERRORS as error:
        raise cannot_read(path, str(error), "replace or delete this image.") from error
    fitted = np.asarray(ImageOps.fit(image, (width, height), Image.Resampling[interpolation.upper()]))
    return fitted[None] if channels == 1 else fitted.transpose(2, 0, 1)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale images with more than 8 bits per channel to 0 to 255; Pillow clips them at 255 instead."""
    if not image.mode.startswith("I") and image.mode != "F":
        return image
    values = np.asarray(image).astype(np.float64)
    brightest = values.max(initial=0)
    if image.mode == "F":
        largest = 1 if brightest <= 1 else 255
    else:  # mode "I" may contain 8 or 16 bits, "I;16" always 16
        largest = 65535 if image.mode != "I" or brightest > 255 else 255
    return Image.fromarray(np.clip(values * (255 / largest), 0, 255).astype(np.uint8))
