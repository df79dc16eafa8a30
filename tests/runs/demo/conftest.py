"""Short runs of each kind that a page has a part for."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from firstlight.config.compose import compose
from firstlight.runs.demo.subject import Subject
from firstlight.training.run import train

_SHORT = ("trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=none")
_STROKES = ((0.3, 0.25), (0.7, 0.25), (0.45, 0.8))  # of a seven, as fractions of the pad


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Subject]:
    """Return a function that trains a run with some words, once, and loads it."""
    loaded: dict[tuple[str, ...], Subject] = {}

    def load(*words: str) -> Subject:
        if words not in loaded:
            folder = tmp_path_factory.mktemp("demo")
            train(compose(*_SHORT, *words), run_dir=folder / "run")
            loaded[words] = Subject.of(folder / "run", folder, accelerator="cpu", max_pixels=10_000)
        return loaded[words]

    return load


@pytest.fixture
def seven() -> Callable[..., np.ndarray]:
    """Return a function that draws a seven on a sketch pad, (side, side), uint8, black on white."""

    def draw(side: int = 336, scale: float = 1.0, shift: float = 0.0, pen: int = 24) -> np.ndarray:
        pad = Image.new("L", (side, side), 255)
        points = [(side * (scale * x + shift), side * (scale * y + shift)) for x, y in _STROKES]
        ImageDraw.Draw(pad).line(points, fill=0, width=pen, joint="curve")
        return np.asarray(pad)

    return draw
