"""The exponential moving average of the weights."""

from torch import Tensor

from firstlight.checks import check_range
from firstlight.training.averaging.averaging import Averaging, interpolate


class EMA(Averaging):
    """The exponential moving average of the weights, and of the statistics of batch normalisation.

    After optimizer step n, the average keeps the fraction min(decay, n / (9 + n)) of itself, so that the initial
    weights are soon forgotten.

    Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the smaller decay at the
    beginning as in `tf.train.ExponentialMovingAverage`.

    Args:
        decay: the fraction of the average that a step keeps.

    Raises:
        ValueError: `decay` is out of its range.
    """

    def __init__(self, decay: float = 0.999) -> None:
        check_range("averaging.decay", decay, at_least=0, below=1)

        def update(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
            number = int(num_averaged) + 1
            interpolate(averaged, current, 1 - min(decay, number / (9 + number)))

        super().__init__(averages_buffers=True, multi_avg_fn=update)
