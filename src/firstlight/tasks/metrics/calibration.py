"""Calibration: whether a classifier is right as often as its probabilities say (Guo et al. 2017)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

NUM_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Samples in bins of equal width by their confidence, the probability of the predicted class.

    Attributes:
        counts: (bins,), the samples in each bin.
        confidence: (bins,), their mean confidence; 0 in an empty bin.
        accuracy: (bins,), the fraction of them that is predicted correctly; 0 in an empty bin.
    """

    counts: Any
    confidence: Any
    accuracy: Any

    @classmethod
    def of(cls, confidences: Any, correct: Any, num_bins: int = NUM_BINS) -> "Calibration":
        """Return the bins of samples.

        Args:
            confidences: (samples,), from 0 to 1; NaN is left out.
            correct: (samples,), whether the prediction is correct.
            num_bins: bin b contains the confidences above b / bins, up to and including (b + 1) / bins.
        """
        confidences, correct = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
        confidences, correct = confidences[np.isfinite(confidences)], correct[np.isfinite(confidences)]
        bins = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, num_bins - 1)
        counts = np.bincount(bins, minlength=num_bins)
        divisors = np.maximum(counts, 1)
        sums = [np.bincount(bins, values, num_bins) for values in (confidences, correct)]
        return cls(counts, sums[0] / divisors, sums[1] / divisors)

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |accuracy - confidence|, weighted with the counts.

        It is NaN without samples.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float((gaps * self.counts).sum() / self.counts.sum()) if self.counts.any() else float("nan")
