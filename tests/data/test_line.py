from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import Line


def test_points_lie_on_the_line_within_the_noise(tmp_path: Path) -> None:
    splits = Line(str(tmp_path), slope=-3.0, intercept=0.5, noise=0.2, num_points=2000).store().splits
    for split in splits.values():
        assert (split.inputs.shape, split.inputs.dtype, split.targets.dtype) == ((2000, 1), *[torch.float32] * 2)
        residual = split.targets - (-3 * split.inputs + 0.5)
        assert float(residual.mean()) == pytest.approx(0, abs=0.02)
        assert float(residual.std()) == pytest.approx(0.2, abs=0.02)
        assert -1 <= split.inputs.min() < -0.9 < 0.9 < split.inputs.max() <= 1


def test_points_without_noise_determine_slope_and_intercept(tmp_path: Path) -> None:
    train = Line(str(tmp_path), slope=4.0, intercept=-1.0, noise=0.0).store().splits["train"]
    found = np.polyfit(train.inputs[:, 0].numpy(), train.targets[:, 0].numpy(), deg=1)
    assert found == pytest.approx([4, -1], abs=1e-5)


def test_splits_differ_and_depend_on_the_seed_alone(tmp_path: Path) -> None:
    one, again, other = (Line(str(tmp_path), split_seed=seed).store() for seed in (0, 0, 1))
    assert sorted(one.splits) == ["test", "train", "val"]
    assert not torch.equal(one.splits["train"].inputs, one.splits["test"].inputs)
    assert torch.equal(one.splits["train"].inputs, again.splits["train"].inputs)
    assert not torch.equal(one.splits["train"].inputs, other.splits["train"].inputs)


def test_given_points_replace_every_split(tmp_path: Path) -> None:
    splits = Line(str(tmp_path), points=[[1, 3], [2, 5]]).splits(seed=1)[1]
    assert sorted(splits) == ["test", "train", "val"]
    for split in splits.values():
        assert (split.inputs.tolist(), split.targets.tolist()) == ([[1], [2]], [[3], [5]])


def test_the_statistics_do_not_standardise_the_points(tmp_path: Path) -> None:
    spec = Line(str(tmp_path), points=[[10, 30], [20, 50]]).store().spec
    assert (spec.kind, spec.input_shape, spec.labels) == ("numbers", (1,), ("y",))
    assert (spec.mean, spec.std, spec.target_mean, spec.target_std) == ((0,), (1,), (0,), (1,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_points": 0}, r"data\.num_points=0: must be at least 1"),
        ({"noise": -0.1}, r"data\.noise=-0\.1: must be at least 0"),
        ({"noise": float("nan")}, r"data\.noise=nan"),
        ({"slope": float("inf")}, r"data\.slope=inf: must be finite"),
        ({"points": []}, r"data\.points=\[\]: must be pairs of x and y"),
        ({"points": [[1, 2], [3]]}, r"data\.points=.*: must be pairs of x and y"),
        ({"points": [[1, 2], [3, float("nan")]]}, r"data\.points=.*: must be finite"),
        ({"points": [[1, 2], [3, 1e39]]}, "must be finite in float32"),
        ({"batch_size": 0}, r"data\.batch_size=0"),
    ],
)
def test_options_out_of_range_raise_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Line("anywhere", **options)
