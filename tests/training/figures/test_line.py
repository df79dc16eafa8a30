"""A straight line records its slope, its intercept and their gradients in each epoch, and draws their path."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.tasks.build import build_source, build_task
from firstlight.training.run import resume, train
from helpers.records import events
from helpers.runs import history

POINTS = np.array([[1.0, 3.0], [2.0, 5.0]])
WORDS = [
    "data=line",
    "data.points=[[1,3],[2,5]]",
    "optimizer.lr=0.1",
    "optimizer.momentum=0",
    "trainer.accelerator=cpu",
]


def _descent(steps: int) -> list[list[float]]:
    """Return slope, intercept and their gradients of gradient descent on the MSE, in NumPy."""
    m, b = -1.0, 5.0
    rows = []
    for _ in range(steps):
        errors = m * POINTS[:, 0] + b - POINTS[:, 1]
        gradient = 2 * (errors * POINTS[:, 0]).mean(), 2 * errors.mean()
        m, b = m - 0.1 * gradient[0], b - 0.1 * gradient[1]
        rows.append([m, b, *gradient])
    return rows


@pytest.mark.figures
def test_each_epoch_has_the_slope_the_intercept_and_their_gradients(tmp_path: Path) -> None:
    train(compose(*WORDS, "trainer.max_epochs=3"), run_dir=tmp_path)
    resume(tmp_path, max_epochs=6)
    names = ("slope", "intercept", "slope_gradient", "intercept_gradient")
    rows = [[float(row[name]) for name in names] for row in history(tmp_path)]
    assert rows[0][2:] == pytest.approx([-3, -1])  # at the start, (-1, 5)
    np.testing.assert_allclose(rows, _descent(6), rtol=1e-4, atol=1e-5)
    with Image.open(tmp_path / "line.png") as image:
        assert image.size == (960, 420)
    assert {"slope", "intercept_gradient"} <= set(events(tmp_path))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["data=line"], True),
        (["data=line", "model=mlp"], False),
        (["data=diabetes", "model=linear"], False),
        (["data=digits", "model=linear"], False),
    ],
)
def test_only_a_straight_line_has_these_columns(words: list[str], expected: bool) -> None:
    config = RunConfig.from_overrides(*words)
    task = build_task(config, build_source(config).splits(1)[0].spec)
    assert task.is_line is expected
