"""Weights that are kept small: which ones, the penalty in the loss, and the largest norm of a unit's weights."""

from firstlight.training.regularisation.max_norm import limit_norms as limit_norms
from firstlight.training.regularisation.penalty import penalty as penalty
from firstlight.training.regularisation.weights import Weights as Weights
