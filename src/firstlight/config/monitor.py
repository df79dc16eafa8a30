"""Which way a metric gets better."""

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
    """'min' or 'max' for a metric `<split>/<name>`."""
    return "min" if metric.rsplit("/", 1)[-1] in LOWER_IS_BETTER else "max"


def is_better(metric: str, value: float, than: float) -> bool:
    """Whether `value` of the metric beats `than`; what is not a number beats nothing and is beaten by anything."""
    if math.isnan(value) or math.isnan(than):
        return not math.isnan(value)
    return value < than if mode_of(metric) == "min" else value > than
