"""The values that a sweep tries: Hydra's own syntax on the command line, or a node of YAML with conditions."""

from firstlight.training.sweeps.space.dimension import Dimension as Dimension
from firstlight.training.sweeps.space.read import read_space as read_space
from firstlight.training.sweeps.space.space import Space as Space
