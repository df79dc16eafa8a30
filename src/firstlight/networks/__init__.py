"""Networks: plain modules, built as `Network(spec, *, options)`; tensors in, tensors out."""

from firstlight.networks.lenet import LeNet as LeNet
from firstlight.networks.linear import Linear as Linear
from firstlight.networks.mlp import MLP as MLP
