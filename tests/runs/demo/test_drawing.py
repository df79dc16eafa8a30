from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from firstlight.runs.demo.drawing import Frame
from firstlight.spec import DataSpec

MNIST = DataSpec((1, 28, 28), 10, tuple("0123456789"), (0.13,), (0.31,), ground="dark")


def ink_box(image: np.ndarray) -> tuple[int, int]:
    rows, columns = (np.flatnonzero((image < 200).any(axis)) for axis in (1, 0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def centre_of_mass(image: np.ndarray) -> list[float]:
    ink = 255.0 - image
    return [float((ink.sum(axis) * (np.arange(len(image)) + 0.5)).sum() / ink.sum()) for axis in (1, 0)]


def test_a_drawing_gets_the_box_and_the_centre_of_mnist_wherever_it_is_drawn(seven: Callable[..., np.ndarray]) -> None:
    for scale, shift in ((1.0, 0.0), (0.5, 0.45), (0.4, 0.02)):
        image = Frame().fit(seven(scale=scale, shift=shift, pen=12), MNIST)
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
        assert max(ink_box(image)) == 20
        assert np.allclose(centre_of_mass(image), 14, atol=0.6)


def test_a_wide_drawing_keeps_its_proportions() -> None:
    pad = np.full((300, 300), 255, np.uint8)
    pad[140:150, 50:250] = 0
    assert ink_box(Frame().fit(pad, MNIST)) == (1, 20)


def test_the_frame_is_that_of_the_samples(seven: Callable[..., np.ndarray]) -> None:
    images = np.zeros((5, 28, 28), np.uint8)
    images[:, 7:21, 9:19] = 255
    assert Frame.of(images) == Frame.of(255 - images) == Frame(0.5)
    assert Frame.of(images[:0]) == Frame.of(np.zeros((3, 28, 28), np.uint8)) == Frame(20 / 28)
    assert max(ink_box(Frame(0.5).fit(seven(), MNIST))) == 14


def test_all_of_a_drawing_that_fills_the_image_stays_inside(seven: Callable[..., np.ndarray]) -> None:
    digits = replace(MNIST, input_shape=(1, 8, 8), margin=2)
    image = Frame(1.0).fit(seven(), digits)
    assert image.shape == (12, 12)
    assert (image[:2] == 255).all()
    assert (image[:, -2:] == 255).all()
    assert ink_box(image)[0] == 8


@pytest.mark.parametrize("grey", [255, 220])
def test_an_empty_sketch_pad_is_reported(grey: int) -> None:
    with pytest.raises(ValueError, match="The sketch pad is empty"):
        Frame().fit(np.full((30, 30), grey, np.uint8), MNIST)
