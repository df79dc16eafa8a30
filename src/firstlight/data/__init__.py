"""Data: from official files to batches on the device."""

from firstlight.data.asl import ASL as ASL
from firstlight.data.cifar10 import CIFAR10 as CIFAR10
from firstlight.data.digits import Digits as Digits
from firstlight.data.loader import BatchLoader as BatchLoader
from firstlight.data.mnist import MNIST as MNIST
from firstlight.data.source import Source as Source
from firstlight.data.store import Split as Split
from firstlight.data.store import Store as Store
