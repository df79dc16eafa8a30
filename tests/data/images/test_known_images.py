import math
from pathlib import Path

import numpy as np
import pytest
import torch

from firstlight.data.images.known_images import KnownImages, known_images
from firstlight.data.store import Split

RANDOM = np.random.default_rng(1)


def blobs(number: int, channels: int = 1) -> np.ndarray:
    """Return bright squares at random places of dark images."""
    images = RANDOM.integers(0, 30, (number, 1, 16, 16), dtype=np.uint8)
    for image, (top, left) in zip(images, RANDOM.integers(1, 10, (number, 2)), strict=True):
        image[:, top : top + 5, left : left + 5] = 220
    return images.repeat(channels, axis=1)


def fraction(known: KnownImages, images: np.ndarray) -> float:
    return sum(map(len, known.warnings(images))) / len(images)


@pytest.mark.parametrize("channels", [1, 3])
def test_new_images_of_the_kind_are_known_and_others_are_not(channels: int) -> None:
    known = KnownImages.of(blobs(400, channels))
    assert fraction(known, blobs(400, channels)) < 0.02
    new = blobs(50, channels)
    others = {
        "inverted": 255 - new,
        "noise": RANDOM.integers(0, 256, new.shape, dtype=np.uint8),
        "empty": np.zeros_like(new),
        "brighter": new // 4 + 120,
        "tiled": np.concatenate([new[..., ::2], new[..., ::2]], axis=3),
    }
    if channels == 3:
        coloured = new.copy()
        coloured[:, 0] //= 3
        others["coloured"] = coloured
    assert {name: fraction(known, images) for name, images in others.items()} == dict.fromkeys(others, 1.0)
    assert known.warnings(others["noise"])[0][0].startswith("unlike training: ")


def test_few_images_warn_less() -> None:
    assert fraction(KnownImages.of(blobs(10)), blobs(200)) < 0.25
    assert KnownImages.of(blobs(1)).limit == math.inf
    assert fraction(KnownImages.of(blobs(1).repeat(5, axis=0)), blobs(1)) in (0, 1)


def test_the_file_holds_the_same_features(tmp_path: Path) -> None:
    known = KnownImages.of(blobs(50))
    known.write(tmp_path / "images.npy")
    found = KnownImages.read(tmp_path / "images.npy")
    assert np.abs(found.features - known.features).max() < 0.01
    assert found.limit == pytest.approx(known.limit, rel=1e-3)
    (tmp_path / "images.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(ValueError, match=r"images\.npy: cannot read \(.*\)\. To fix: delete this file"):
        KnownImages.read(tmp_path / "images.npy")


def test_a_split_is_known_by_a_part_of_its_images_without_the_margin() -> None:
    images = torch.from_numpy(blobs(5000))
    split = Split(images, torch.zeros(5000))
    assert len(known_images(split).features) in range(1500, 2001)
    few = split.part(torch.arange(100))
    inside = KnownImages.of(images[:100, :, 3:13, 3:13].numpy())
    assert np.array_equal(known_images(few, 3).features, inside.features)
