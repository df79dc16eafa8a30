"""The command `convolve`: filters an image or a small matrix with a kernel."""

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range, choose
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.files import output_file, user_path
from firstlight.runs.figures.canvas import check_output, new_figure, write_figure
from lessons.tables import table

Rows = Sequence[Sequence[float]]

PADDINGS = {"zero": "constant", "mirror": "reflect", "none": None}  # modes of numpy.pad
_MAX_PRINTED = 16  # rows and columns of a matrix that is printed


def main() -> None:
    """Entry point of scripts/convolve.py."""
    given = named(sys.argv[1:])
    sys.argv[1:] = [" ".join(word.split()) if "[[" in word else word for word in given]  # a matrix may have lines
    run_command("convolve", _job)


def named(words: list[str]) -> list[str]:
    """Return the words of the command line with `image=` before the first that is neither a key nor an option."""
    for place, word in enumerate(words):
        is_option = word.startswith("-") or words[place - 1 : place] in (["--cfg"], ["-c"])
        if not is_option and not re.match(r"[+~]*[\w./@]+=", word):
            return [*words[:place], f"image={word}", *words[place + 1 :]]
    return words


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("lessons.convolve.convolve", config)
    convolve(**config)
    return {}


def convolve(
    image: str | Sequence[Sequence[float]],
    kernel: str | Sequence[Sequence[float]] = "blur",
    stride: int = 1,
    padding: str = "zero",
    output: str | Path | None = "convolved.png",
) -> np.ndarray:
    """Filter every channel of an image, or a matrix, with a kernel, and write the result as an image.

    The kernel is not flipped, as usual in deep learning (a cross-correlation). A matrix of up to 16 rows and columns
    and its result are printed too. An image that becomes negative is drawn with 0 as medium grey.

    Args:
        image: path of an image, or a matrix as rows of numbers.
        kernel: name of a kernel, see `networks.kernels.KERNELS`, or rows of numbers.
        stride: distance between two places of the kernel.
        padding: zero, mirror (reflects the image without repeating its border), or none, which makes the result
            smaller.
        output: path of the result; None for none.

    Returns:
        The result: (rows, columns) of a matrix; (channels, rows, columns) of an image, whose values are from 0 to 1.

    Raises:
        ValueError: the image cannot be read, an option is out of its range, the kernel is larger than the image, or the
            result cannot be written.
    """
    check_range("stride", stride, at_least=1)
    choose("padding", padding, PADDINGS, "padding")
    numbers = _kernel(kernel)
    if isinstance(image, str):
        return _convolve_file(image, numbers, stride, padding, output)
    matrix = _matrix("image", image)
    path = check_output(output)
    result = filtered(matrix, numbers, stride, padding)
    if max(*matrix.shape, *result.shape) <= _MAX_PRINTED:
        for title, values in (("image", matrix), ("kernel", numbers), ("result", result)):
            print(f"{title} {values.shape[0]}x{values.shape[1]}\n{_as_text(values)}\n")
    if path is not None:
        _draw(matrix, numbers, result, path)
    return result


def filtered(images: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: str = "zero") -> np.ndarray:
    """Return images (..., rows, columns) filtered with a kernel.

    Raises:
        ValueError: the kernel is larger than the padded image, or has an even side that padding cannot centre.
    """
    images = _padded(images, kernel, padding)
    if any(side > length for side, length in zip(kernel.shape, images.shape[-2:], strict=True)):
        raise _too_large(kernel, images)
    places = zip(images.shape[-2:], kernel.shape, strict=True)
    rows, columns = ((length - side) // stride + 1 for length, side in places)
    result = np.zeros((*images.shape[:-2], rows, columns), images.dtype)
    for (row, column), weight in np.ndenumerate(kernel):  # each weight adds a shifted image
        ends = row + stride * (rows - 1) + 1, column + stride * (columns - 1) + 1
        result += weight.astype(images.dtype) * images[..., row : ends[0] : stride, column : ends[1] : stride]
    return result


def _padded(images: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    """Return images with a border, so that the centre of the kernel reaches every pixel."""
    mode = PADDINGS[padding]
    if mode is None:
        return images
    if any(side % 2 == 0 for side in kernel.shape):
        raise ValueError(f"padding={padding}: must be none for a kernel of {_size(kernel)}, which has no centre.")
    borders = [(side // 2, side // 2) for side in kernel.shape]
    pairs = zip(borders, images.shape[-2:], strict=True)
    if mode == "reflect" and any(border >= length for (border, _), length in pairs):
        raise _too_large(kernel, images)
    return np.pad(images, [(0, 0)] * (images.ndim - 2) + borders, mode=mode)  # type: ignore[call-overload]


def _too_large(kernel: np.ndarray, images: np.ndarray) -> ValueError:
    return ValueError(f"kernel: must be at most as large as the image of {_size(images)}, not {_size(kernel)}.")


def _kernel(kernel: str | Rows) -> np.ndarray:
    """Return the numbers of a kernel, (rows, columns), float64."""
    if not isinstance(kernel, str):
        return _matrix("kernel", kernel)
    from firstlight.networks.kernels import KERNELS  # imports torch

    choose("kernel", kernel, KERNELS, "kernel")
    return np.array(KERNELS[kernel], dtype=np.float64)


def _matrix(key: str, rows: Rows) -> np.ndarray:
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or 0 in lengths or not all(math.isfinite(value) for row in rows for value in row):
        raise ValueError(f"{key}={list(rows)}: must be rows of finite numbers, all of the same length.")
    return np.array(rows, dtype=np.float64)


def _size(values: np.ndarray) -> str:
    return f"{values.shape[-2]}x{values.shape[-1]}"


def _as_text(values: np.ndarray) -> str:
    """Return the rows with at most four decimals, as few as they need."""
    decimals = next((places for places in range(4) if np.allclose(values, values.round(places), atol=1e-9)), 4)
    header, *rows = [[f"{value:.{decimals}f}" for value in row] for row in values.round(decimals) + 0.0]
    return table(header, rows)


def _convolve_file(image: str, kernel: np.ndarray, stride: int, padding: str, output: str | Path | None) -> np.ndarray:
    from PIL import Image

    from firstlight.data.images.contact_sheet import check_format, write_image

    source = user_path(image, "image")
    target = None if output is None else user_path(output, "output")
    if target is not None:
        check_format("output", target)
    pixels = _read(source)
    result = filtered(pixels, kernel, stride, padding)
    low, high = float(result.min()), float(result.max())
    print(f"image   {source}: {_size(pixels)}, {'grey' if len(pixels) == 1 else 'colour'}")
    print(f"result  {_size(result)}, from {low:.3g} to {high:.3g}, where black is 0 and white is 1")
    if target is not None:
        print(f"output  {target}{': 0 is medium grey' if low < -1e-6 else ''}")
        shown = (_to_pixels(result) * 255).round().astype(np.uint8).transpose(1, 2, 0)
        with output_file("output", target):
            write_image(target, Image.fromarray(shown[:, :, 0] if shown.shape[2] == 1 else shown))
    return result


def _read(path: Path) -> np.ndarray:
    """Return an image file as (channels, height, width), float32 from 0 to 1, with one channel if it is grey."""
    from PIL import ExifTags

    from firstlight.data.files.formats import open_image
    from firstlight.data.images.reading import read_image, refuse_decompression_bombs

    if not path.is_file():
        raise ValueError(f"image={path}: must be an existing image file, or a matrix such as [[1,0],[0,1]].")
    with refuse_decompression_bombs():
        try:
            with open_image(path) as opened:
                width, height = opened.size
                channels = 1 if opened.mode in ("1", "L", "I", "F", "I;16") else 3
                if opened.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8):  # turned by a quarter
                    width, height = height, width
        except Exception:  # damaged; `read_image` raises the error that says how
            channels, height, width = 3, 1, 1
        return read_image(path, (channels, height, width)).astype(np.float32) / 255


def _to_pixels(result: np.ndarray) -> np.ndarray:
    """Return values from 0 to 1: negative results are scaled around medium grey, others end at white."""
    largest = float(np.abs(result).max())
    return np.clip(result, 0, 1) if result.min() >= -1e-6 else 0.5 + result / (2 * largest)


def _draw(matrix: np.ndarray, kernel: np.ndarray, result: np.ndarray, path: Path) -> None:
    """Draw the image, the kernel and the result side by side, with their numbers if they are small."""
    figure = new_figure(9, 3.6)
    axes = figure.subplots(1, 3)
    for axis, title, values in zip(axes, ("image", "kernel", "result"), (matrix, kernel, result), strict=True):
        axis.imshow(values, cmap="cividis")
        axis.set(title=f"{title} {_size(values)}", xlabel="column", ylabel="row")
        axis.set_xticks(range(0, values.shape[1], max(1, values.shape[1] // 6)))
        axis.set_yticks(range(0, values.shape[0], max(1, values.shape[0] // 6)))
        if max(values.shape) <= _MAX_PRINTED // 2:
            middle = (values.min() + values.max()) / 2
            for (row, column), value in np.ndenumerate(values):
                colour = "black" if value > middle else "white"
                axis.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=9)
    write_figure(figure, path)
    print(f"figure  {path}")
