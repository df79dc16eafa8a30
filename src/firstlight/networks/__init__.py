"""Networks: plain modules, built as `Network(spec, *, options)`; tensors in, tensors out."""

from firstlight.networks.alexnet import AlexNet as AlexNet
from firstlight.networks.autoencoder import Autoencoder as Autoencoder
from firstlight.networks.bag_of_words import BagOfWords as BagOfWords
from firstlight.networks.cnn import CNN as CNN
from firstlight.networks.conv_filters import ConvFilters as ConvFilters
from firstlight.networks.efficientnet_lite import EfficientNetLite as EfficientNetLite
from firstlight.networks.gan import GAN as GAN
from firstlight.networks.googlenet import GoogLeNet as GoogLeNet
from firstlight.networks.inception import Inception as Inception
from firstlight.networks.lenet import LeNet as LeNet
from firstlight.networks.linear import Linear as Linear
from firstlight.networks.live import LiveNetwork as LiveNetwork
from firstlight.networks.mlp import MLP as MLP
from firstlight.networks.mobilenet import MobileNet as MobileNet
from firstlight.networks.network import Network as Network
from firstlight.networks.recurrent import GRU as GRU
from firstlight.networks.recurrent import LSTM as LSTM
from firstlight.networks.recurrent import RNN as RNN
from firstlight.networks.resnet import ResNet as ResNet
from firstlight.networks.text_cnn import TextCNN as TextCNN
from firstlight.networks.timm import Timm as Timm
from firstlight.networks.transformer import Transformer as Transformer
from firstlight.networks.vgg import VGG as VGG
from firstlight.networks.vit import ViT as ViT
