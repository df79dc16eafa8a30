"""Whether higher or lower values of a metric are better."""

import math

LOWER_IS_BETTER = frozenset(
    {
        "loss",
        "distance",
        "kl",
        "generator_loss",
        "discriminator_loss",
        "mse",
        "rmse",
        "mae",
        "perplexity",
        "bits_per_character",
    }
)


def mode_of(metric: str) -> str:
    """Return "min" if lower values of the metric `<split>/<name>` are better, else "max"."""
    return "min" if metric.rsplit("/", 1)[-1] in LOWER_IS_BETTER else "max"


def is_better(metric: str, value: float, than: float) -> bool:
    """Return whether `value` is better than `than`. NaN is worse than every number."""
    if math.isnan(value) or math.isnan(than):
        return not math.isnan(value)
    return value < than if mode_of(metric) == "min" else value > than
