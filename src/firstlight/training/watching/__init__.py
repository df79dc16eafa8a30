"""What a run watches while it trains: the gap between training and validation, and each layer."""

from firstlight.training.watching.build import watchers as watchers
