import numpy as np
import pytest

from firstlight.data.statistics import channel_statistics, column_statistics, describe
from firstlight.data.store import Arrays

RANDOM = np.random.default_rng(1)


def test_channel_statistics_equal_those_of_numpy() -> None:
    images = RANDOM.integers(0, 256, (50, 3, 7, 9), dtype=np.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((images / 255).mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx((images / 255).std((0, 2, 3)), rel=1e-12)


def test_channel_statistics_of_several_chunks_equal_those_of_numpy() -> None:
    images = RANDOM.integers(0, 256, (300, 2, 3, 3), dtype=np.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((images / 255).mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx((images / 255).std((0, 2, 3)), rel=1e-12)


def test_the_std_of_a_constant_channel_is_not_zero() -> None:
    mean, std = channel_statistics(np.full((4, 1, 3, 3), 51, dtype=np.uint8))
    assert mean == pytest.approx((0.2,))
    assert std == (1 / 255,)


def test_the_std_of_a_constant_column_is_one() -> None:
    mean, std = column_statistics(np.array([[1, 7], [3, 7]], dtype=np.float32))
    assert (mean, std) == ((2.0, 7.0), (1.0, 1.0))


def test_the_input_shape_of_images_excludes_the_margin() -> None:
    images = RANDOM.integers(0, 256, (20, 3, 12, 10), dtype=np.uint8)
    spec = describe(("no", "yes"), Arrays(images, RANDOM.integers(0, 2, 20)), margin=2)
    assert (spec.kind, spec.input_shape, spec.stored_shape) == ("images", (3, 8, 6), (3, 12, 10))
    assert (spec.num_outputs, spec.labels, spec.target_mean) == (2, ("no", "yes"), ())
    assert spec.mean == pytest.approx((images / 255).mean((0, 2, 3)), rel=1e-12)


def test_tables_have_statistics_of_columns_and_targets() -> None:
    table, targets = RANDOM.normal(3, 2, (40, 5)), RANDOM.normal(100, 9, (40, 1))
    spec = describe(("price",), Arrays(table.astype(np.float32), targets.astype(np.float32)))
    assert (spec.kind, spec.input_shape, spec.num_outputs) == ("numbers", (5,), 1)
    assert spec.mean == pytest.approx(table.mean(0), rel=1e-5)
    assert spec.target_std == pytest.approx(targets.std(0), rel=1e-5)


def test_tokens_have_no_mean() -> None:
    tokens = RANDOM.integers(0, 3, (6, 16), dtype=np.int32)
    spec = describe(("a", "b", "c"), Arrays(tokens, tokens))
    assert (spec.kind, spec.input_shape, spec.num_outputs, spec.mean) == ("tokens", (16,), 3, ())
