import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from firstlight.tasks.metrics.calibration import Calibration


def test_the_expected_calibration_error_is_that_of_torchmetrics() -> None:
    probabilities = torch.rand(500, 4, generator=torch.Generator().manual_seed(0)).pow(3)
    probabilities /= probabilities.sum(1, keepdim=True)
    targets = torch.arange(500) % 4
    best = probabilities.max(1)
    found = Calibration.of(best.values, best.indices == targets)
    expected = multiclass_calibration_error(probabilities, targets, 4, n_bins=15, norm="l1")
    assert found.error == pytest.approx(float(expected), abs=1e-6)
    assert found.counts.sum() == 500


def test_bins_end_at_their_upper_edge_and_may_be_empty() -> None:
    found = Calibration.of([0.0, 0.2, 0.21, 1.0], [True, False, True, True], num_bins=5)
    assert found.counts.tolist() == [2, 1, 0, 0, 1]
    np.testing.assert_allclose(found.confidence, [0.1, 0.21, 0, 0, 1])
    np.testing.assert_allclose(found.accuracy, [0.5, 1, 0, 0, 1])
    assert Calibration.of([0.2, np.nan], [False, True]).error == pytest.approx(0.2)
    assert np.isnan(Calibration.of([], []).error)
