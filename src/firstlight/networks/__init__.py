"""Networks: plain modules, built as `Network(spec, *, options)`; tensors in, tensors out."""

from firstlight.networks.autoencoder import Autoencoder as Autoencoder
from firstlight.networks.gan import GAN as GAN
from firstlight.networks.lenet import LeNet as LeNet
from firstlight.networks.linear import Linear as Linear
from firstlight.networks.mlp import MLP as MLP
from firstlight.networks.recurrent import GRU as GRU
from firstlight.networks.recurrent import LSTM as LSTM
from firstlight.networks.recurrent import RNN as RNN
from firstlight.networks.transformer import Transformer as Transformer
