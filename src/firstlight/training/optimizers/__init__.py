"""Optimizers: those of torch and of other libraries, and groups of parameters with options of their own."""

from firstlight.training.optimizers.bound import BoundOptimizer as BoundOptimizer
from firstlight.training.optimizers.muon import Muon as Muon
