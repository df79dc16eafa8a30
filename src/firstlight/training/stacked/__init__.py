"""Several runs trained as one: small networks that differ only in their seed and in the numbers of their optimizer."""

from firstlight.training.stacked.checks import check_config, common_part
from firstlight.training.stacked.run import train_stacked

__all__ = ["check_config", "common_part", "train_stacked"]
