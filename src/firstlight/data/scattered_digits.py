"""Digits scattered over canvases, with masks, boxes or labels: they are drawn, and nothing is downloaded."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from firstlight.checks import check_range, choose
from firstlight.data.digits import Digits
from firstlight.data.mnist import MNIST
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.randomness import derive
from firstlight.spec import NO_OBJECT

_DIGITS: dict[str, type[Digits] | type[MNIST]] = {"digits": Digits, "mnist": MNIST}
_TARGETS = ("mask", "foreground", "boxes", "labels")
_INK = 64  # grey level from which on a pixel belongs to a digit; darker ones become background
_MAX_OVERLAP = 0.1  # of the area of the smaller of two boxes; their pixels never overlap
_TRIES = 50  # places that are tried for a digit, and canvases that are begun anew


class _Placed(NamedTuple):
    digit: int
    left: int
    top: int
    pixels: np.ndarray  # (height, width), uint8, cut to the ink

    @property
    def box(self) -> tuple[int, int, int, int]:
        height, width = self.pixels.shape
        return self.left, self.top, self.left + width, self.top + height

    @property
    def place(self) -> tuple[slice, slice]:
        left, top, right, bottom = self.box
        return slice(top, bottom), slice(left, right)


class ScatteredDigits(Source):
    """Grey canvases with digits of several sizes at random places; their masks and boxes are exact to the pixel.

    The digits are the bundled ones of scikit-learn or those of MNIST. Canvases for training show digits of the training
    split, and those for testing show digits of the test split. A canvas depends on `split_seed`, its number and the
    options alone.

    Args:
        dir: see `Source`; the files of MNIST are searched for in it.
        digits: "digits" for the bundled digits, "mnist" for those of MNIST.
        target: "mask" has a class for each pixel, background or one of ten digits; "foreground" has background and
            digit; "boxes" has a box and a class for each digit; "labels" says which digits occur.
        image_size: height and width of the canvases.
        min_digits: smallest number of digits on a canvas.
        max_digits: largest number of digits on a canvas.
        min_size: smallest longer side of a digit, as a fraction of the canvas.
        max_size: largest longer side of a digit, as a fraction of the canvas.
        noise: standard deviation of normal noise, with pixels from 0 to 1.
        num_train: number of canvases of which training and validation are parts.
        num_test: number of canvases for testing.
        split_seed: seed of the canvases.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "scattered_digits"

    def __init__(
        self,
        dir: str,
        *,
        digits: str = "digits",
        target: str = "mask",
        image_size: int = 128,
        min_digits: int = 1,
        max_digits: int = 6,
        min_size: float = 0.15,
        max_size: float = 0.3,
        noise: float = 0.0,
        num_train: int = 4000,
        num_test: int = 1000,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        self.digits = _DIGITS[choose("data.digits", digits, _DIGITS, "digits")](dir)
        self.target = choose("data.target", target, _TARGETS, "target")
        check_range("data.image_size", image_size, at_least=16)
        check_range("data.min_digits", min_digits, at_least=0)
        check_range("data.max_digits", max_digits, at_least=max(1, min_digits))
        check_range("data.min_size", min_size, at_least=8 / image_size)
        check_range("data.max_size", max_size, at_least=min_size, at_most=1)
        check_range("data.noise", noise, at_least=0, at_most=1)
        check_range("data.num_train", num_train, at_least=2)
        check_range("data.num_test", num_test, at_least=1)
        self.image_size = image_size
        self.numbers = min_digits, max_digits
        self.sizes = min_size, max_size
        self.noise = noise
        self.num_canvases = {"train": num_train, "test": num_test}
        self.split_seed = split_seed
        self.options |= {"digits": digits, "target": target, "image_size": image_size, "numbers": self.numbers}
        self.options |= {"sizes": self.sizes, "noise": noise, "canvases": self.num_canvases, "seed": split_seed}

    def files(self) -> list[Path]:
        """Return the files of the digits."""
        return self.digits.files()

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Draw the canvases.

        Raises:
            ValueError: so many digits of this size do not fit on a canvas.
        """
        names, splits = self.digits.read()
        labels = {"mask": ("background", *names), "foreground": ("background", "digit")}.get(self.target, names)
        return labels, {split: self._canvases(split, arrays) for split, arrays in splits.items()}

    def _canvases(self, split: str, digits: Arrays) -> Arrays:
        random = np.random.default_rng(derive(self.split_seed, "scattered_digits", split))
        number, side = self.num_canvases[split], self.image_size
        images = np.zeros((number, 1, side, side), np.uint8)
        found = []
        for image in images[:, 0]:
            placed = self._scatter(digits, random)
            for digit in placed:
                image[digit.place] = np.maximum(image[digit.place], digit.pixels)
            if self.noise:
                noisy = image + random.normal(0, 255 * self.noise, image.shape)
                image[:] = np.rint(noisy.clip(0, 255))
            found.append(self._target(placed))
        return Arrays(images, np.stack(found))

    def _scatter(self, digits: Arrays, random: np.random.Generator) -> list[_Placed]:
        """Return digits that do not overlap; a canvas on which one finds no place is begun anew."""
        for _ in range(_TRIES):
            placed: list[_Placed] = []
            wanted = int(random.integers(self.numbers[0], self.numbers[1] + 1))
            while len(placed) < wanted and (digit := self._place(digits, placed, random)):
                placed.append(digit)
            if len(placed) == wanted:
                return placed
        raise ValueError(
            f"data.max_digits={self.numbers[1]}: must be smaller, or data.max_size={self.sizes[1]:g}, because so many"
            " digits find no place on a canvas."
        )

    def _place(self, digits: Arrays, placed: list[_Placed], random: np.random.Generator) -> _Placed | None:
        """Draw a digit, its size and places until it covers no other; return None if it always does."""
        row = int(random.integers(len(digits.targets)))
        size = round(self.image_size * float(random.uniform(*self.sizes)))
        pixels = _resized(digits.inputs[row, 0], size)
        for _ in range(_TRIES):
            left, top = (int(random.integers(self.image_size - length + 1)) for length in pixels.shape[::-1])
            digit = _Placed(int(digits.targets[row]), left, top, pixels)
            if not any(_overlap(digit, other, self.image_size) for other in placed):
                return digit
        return None

    def _target(self, placed: list[_Placed]) -> np.ndarray:
        if self.target == "labels":
            occurs = np.zeros(10, np.uint8)
            occurs[[digit.digit for digit in placed]] = 1
            return occurs
        if self.target == "boxes":
            boxes = np.full((self.numbers[1], 5), (0, 0, 0, 0, NO_OBJECT), np.float32)
            boxes[: len(placed)] = np.array([(*digit.box, digit.digit) for digit in placed]).reshape(-1, 5)
            return boxes
        mask = np.zeros((self.image_size, self.image_size), np.uint8)
        for digit in placed:
            mask[digit.place][digit.pixels > 0] = 1 if self.target == "foreground" else 1 + digit.digit
        return mask


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """Return the ink of a digit, whose longer side has `size` pixels or a few less; other pixels are 0."""
    ink = _cut(np.where(image >= _INK, image, 0))
    scale = size / max(ink.shape)
    height, width = (max(1, round(scale * length)) for length in ink.shape)
    resized = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC))
    return _cut(np.where(resized >= _INK, resized, 0))


def _cut(image: np.ndarray) -> np.ndarray:
    """Return the part of an image that contains all pixels above 0."""
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else image


def _overlap(one: _Placed, other: _Placed, side: int) -> bool:
    """Return whether two digits have a common pixel, or boxes that overlap by more than a little."""
    sides = [
        min(end, other_end) - max(begin, other_begin)
        for begin, end, other_begin, other_end in zip(
            one.box[:2], one.box[2:], other.box[:2], other.box[2:], strict=True
        )
    ]
    if min(sides) <= 0:
        return False
    if sides[0] * sides[1] > _MAX_OVERLAP * min(one.pixels.size, other.pixels.size):
        return True
    canvas = np.zeros((side, side), bool)
    canvas[one.place] = one.pixels > 0
    return bool((canvas[other.place] & (other.pixels > 0)).any())
