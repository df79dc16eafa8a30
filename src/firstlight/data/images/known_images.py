"""Training images in a few numbers each, to recognize an image that is unlike all of them."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from firstlight.data.ground import border
from firstlight.data.store import Split
from firstlight.files import atomic_write, cannot_read, write_array

_SIDE = 8  # of the thumbnail that is compared
_WEIGHT = 10  # of a statistic of the whole image, in relation to a pixel of the thumbnail
_FRACTION = 0.005  # of training images that are further from all others than the limit

_MIN_LIMIT = 1.0  # a difference of a tenth in brightness, even if the training images are copies of each other

_MAX_IMAGES = 2000
_MIN_IMAGES = 200
_CHUNK = 50
_MAX_PIXELS = 50_000_000  # of large images fewer are kept, which takes a second


@dataclass(frozen=True)
class KnownImages:
    """Features of training images, and how far each is from the nearest other one.

    An image is unlike all training images if the nearest is further away than the training images are from each other
    (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors", with features that need no network).
    By the rank of its distance, about one in 200 images of the same kind as the training images is also unlike them.

    Attributes:
        features: (images, features), float32.
        nearest: distance of each image to the nearest other one, (images,), float32.
    """

    features: np.ndarray
    nearest: np.ndarray

    @property
    def limit(self) -> float:
        """The distance to the nearest training image beyond which an image is unlike them."""
        if len(self.nearest) < 2:
            return math.inf
        wider = 1 + 1 / math.sqrt(len(self.nearest))  # few images may be close to each other by chance
        return max(_MIN_LIMIT, float(np.quantile(self.nearest, 1 - _FRACTION)) * wider)

    @classmethod
    def of(cls, images: np.ndarray) -> "KnownImages":
        """Return the features and distances of images (images, channels, height, width), uint8."""
        chunks = np.array_split(images, math.ceil(len(images) / _CHUNK))
        features = np.concatenate([_features(chunk) for chunk in chunks])
        distances = _distances(features, features)
        np.fill_diagonal(distances, np.inf)
        return cls(features, distances.min(1))

    def warnings(self, images: np.ndarray) -> list[list[str]]:
        """Return for each image, (images, channels, height, width), uint8, a warning if it is unlike all of these."""
        ratios = _distances(_features(images), self.features).min(1) / self.limit
        return [
            [f"unlike training: {ratio:.1f} times as far from all training images as they are from each other"]
            if ratio > 1
            else []
            for ratio in ratios
        ]

    def write(self, path: Path) -> None:
        """Write the features to a file, atomically."""
        with atomic_write(path) as file:
            write_array(file, np.column_stack([self.features, self.nearest]).astype(np.float16))

    @classmethod
    def read(cls, path: Path) -> "KnownImages":
        """Read the features from a file.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            # A memory map is never larger than the file, whatever the file claims.
            found = np.array(np.load(path, mmap_mode="r", allow_pickle=False), dtype=np.float32)
            return cls(found[:, :-1], found[:, -1])
        except (OSError, ValueError, TypeError, IndexError) as error:
            fix = "delete this file; predictions are then made without warnings."
            raise cannot_read(path, str(error), fix) from error


def known_images(split: Split, margin: int = 0) -> KnownImages:
    """Return the features of a part of the images of a split.

    Args:
        split: the training split.
        margin: stored pixels on every side, which are left out.
    """
    height, width = split.inputs.shape[2:]
    number = max(_MIN_IMAGES, min(_MAX_IMAGES, _MAX_PIXELS // split.inputs[0].numel()))
    images, _ = split.take(torch.arange(0, len(split), math.ceil(len(split) / number)))
    return KnownImages.of(images[..., margin : height - margin, margin : width - margin].cpu().numpy())


def _features(images: np.ndarray) -> np.ndarray:
    """Return the features of images: a small grey image of mean 0 and standard deviation 1, and `_statistics`."""
    pixels = images.astype(np.float32) / 255
    grey = pixels.mean(1)
    size = min(_SIDE, grey.shape[1]), min(_SIDE, grey.shape[2])
    small = F.adaptive_avg_pool2d(torch.from_numpy(grey)[:, None], size).flatten(1).numpy()
    small = (small - small.mean(1, keepdims=True)) / (small.std(1, keepdims=True) + 0.02)
    return np.concatenate([small, _WEIGHT * _statistics(pixels, grey)], axis=1)


def _statistics(pixels: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Return brightness, contrast, ground, contrast of the ground, edges, edges in relation to the contrast, grey tones
    (0 for black and white), and colour (0 for grey images): (images, 8).

    Args:
        pixels: (images, channels, height, width), from 0 to 1.
        grey: (images, height, width), from 0 to 1.
    """
    brightness, ground = grey.mean((1, 2)), border(grey)
    contrast = grey.std((1, 2))
    rows, columns = np.diff(grey, axis=1, prepend=grey[:, :1]), np.diff(grey, axis=2, prepend=grey[:, :, :1])
    edges = (np.abs(rows).mean((1, 2)) + np.abs(columns).mean((1, 2))) / 2
    tones, colour = (4 * grey * (1 - grey)).mean((1, 2)), (pixels.max(1) - pixels.min(1)).mean((1, 2))
    of_ground, detail = (np.median(ground, 1), ground.std(1)), edges / (contrast + 0.02)
    return np.stack([brightness, contrast, *of_ground, edges, detail, tones, colour], axis=1)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of each row of `first` to each row of `second`."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squares, 0))
