"""Averages of the weights over the steps of a run: EMA, SWA and Lookahead. They are what is evaluated and saved."""

from firstlight.training.averaging.ema import EMA as EMA
from firstlight.training.averaging.lookahead import Lookahead as Lookahead
from firstlight.training.averaging.swa import SWA as SWA
