"""Find image files, and read them as arrays of one shape, whatever their size and mode."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from firstlight.data.files.formats import SUFFIXES, UnreadableError, open_image
from firstlight.data.files.tree import Tree
from firstlight.data.images.convert import convert
from firstlight.data.images.frame import Frame, layout
from firstlight.data.images.memory import BUDGET, MAX_PIXELS, SAFE_PIXELS, Budget, decoding_bytes
from firstlight.files import cannot_read

FITS = ("crop", "pad", "stretch")

# Errors of Pillow for files that are damaged or not images.
_IMAGE_ERRORS = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    struct.error,
)
# How an image is turned for each orientation of EXIF.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    """Return the images in a folder and its subfolders, sorted; see `Tree`."""
    return Tree(folder).all_images()


@contextmanager
def refuse_decompression_bombs(max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Replace Pillow's limit of pixels by this one, and ignore its warnings of damaged metadata.

    Enter this context outside of all threads, because the limit and the warning filters belong to the process.
    """
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def read_image(
    path: Path,
    shape: tuple[int, ...],
    content: bytes | None = None,
    interpolation: str = "bilinear",
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
    budget: Budget = BUDGET,
) -> np.ndarray:
    """Return an image as uint8 of `shape` (channels, height, width), with one channel for grey or three for colour.

    The image is rotated by its EXIF orientation, and transparent parts become white. Threads that read large images
    wait for each other, so that their images take one gigabyte at a time.

    Args:
        path: path of the file, whose format is one of `FORMATS`, whatever its suffix.
        shape: shape of the array.
        content: content of the file, for an image in an archive; None reads the file at `path`.
        interpolation: bilinear or bicubic.
        fit: "crop" resizes the image until it covers the shape, and crops the centre; "pad" resizes it until it lies
            within the shape, with black around it; "stretch" changes its proportions.
        max_pixels: an image with more pixels is refused. Pillow's own limit holds outside of
            `refuse_decompression_bombs`.
        budget: the memory that threads use together.

    Raises:
        ValueError: the file is not an image, is damaged, or is so large that it may be a decompression bomb.
    """
    return read_framed(path, shape, content, interpolation, fit, max_pixels, budget)[0]


def read_framed(
    path: Path,
    shape: tuple[int, ...],
    content: bytes | None = None,
    interpolation: str = "bilinear",
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
    budget: Budget = BUDGET,
) -> tuple[np.ndarray, Frame]:
    """Return what `read_image` returns, and how the image was fitted, which its mask and boxes follow."""
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"channels={channels}: must be 1 (grey) or 3 (colour) to read image files.")
    try:
        with open_image(path, content) as opened:
            size = opened.size
            # Decode a JPEG that is much larger than the shape at 1/2, 1/4 or 1/8 of its size, which is faster.
            opened.draft(None, (2 * max(height, width),) * 2)
            with budget.take(decoding_bytes(opened, size, "L" if channels == 1 else "RGB", max_pixels)):
                image = fit_image(opened, shape, interpolation, fit)
                return image, Frame(size, _turn(opened), (height, width), fit)
    except UnreadableError as error:
        raise cannot_read(path, *error.args) from None
    except UnidentifiedImageError as error:
        raise cannot_read(path, "it is not an image of a known format", "replace or delete this image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise cannot_read(
            path, str(error), "make it smaller, or set a larger data.max_pixels (predictions: predict.max_pixels)."
        ) from error
    except _IMAGE_ERRORS as error:
        raise cannot_read(path, str(error) or type(error).__name__, "replace or delete this image.") from error


def fit_image(
    image: Image.Image, shape: tuple[int, ...], interpolation: str = "bilinear", fit: str = "crop"
) -> np.ndarray:
    """Return an opened image as uint8 of `shape` (channels, height, width); the arguments are those of `read_image`."""
    channels, height, width = shape
    converted = convert(image, "L" if channels == 1 else "RGB", _factor(image, max(height, width)))
    turn = _turn(image)
    upright = converted if turn is None else converted.transpose(turn)
    pixels = np.asarray(_fit(upright, (width, height), interpolation, fit))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _factor(image: Image.Image, side: int) -> int:
    """Return the factor by which a huge image is reduced while it is converted."""
    return 1 if image.width * image.height <= SAFE_PIXELS else max(1, min(image.size) // (2 * side))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return how a loaded image must be turned by its EXIF orientation; None if it is upright, or EXIF is damaged."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata raise almost any error, and the pixels are good
        return None


def _fit(image: Image.Image, size: tuple[int, int], interpolation: str, fit: str) -> Image.Image:
    """Resize a part of an upright image to its place, and put black around it."""
    part, (left, top, width, height) = layout(image.size, size[::-1], fit)
    resized = image.resize((width, height), Image.Resampling[interpolation.upper()], box=part)
    if (width, height) == size:
        return resized
    padded = Image.new(image.mode, size)
    padded.paste(resized, (left, top))
    return padded
