"""Data sets: read from their official files, stored as arrays, and split into batches on the device."""

from firstlight.data.arrays import ArraySource as ArraySource
from firstlight.data.asl import ASL as ASL
from firstlight.data.cats_and_dogs import CatsAndDogs as CatsAndDogs
from firstlight.data.cifar10 import CIFAR10 as CIFAR10
from firstlight.data.dataset import TorchDataset as TorchDataset
from firstlight.data.detection_folder import DetectionFolder as DetectionFolder
from firstlight.data.digits import Digits as Digits
from firstlight.data.dogs import Dogs as Dogs
from firstlight.data.environments.source import Environment as Environment
from firstlight.data.folder import Folder as Folder
from firstlight.data.huggingface import HuggingFace as HuggingFace
from firstlight.data.line import Line as Line
from firstlight.data.loader import BatchLoader as BatchLoader
from firstlight.data.mask_folder import MaskFolder as MaskFolder
from firstlight.data.mnist import MNIST as MNIST
from firstlight.data.multilabel import MultiLabel as MultiLabel
from firstlight.data.scattered_digits import ScatteredDigits as ScatteredDigits
from firstlight.data.source import Source as Source
from firstlight.data.store import Split as Split
from firstlight.data.store import Store as Store
from firstlight.data.table import Table as Table
from firstlight.data.text import Text as Text
from firstlight.data.text_classes import TextClasses as TextClasses
from firstlight.data.torchvision import TorchVision as TorchVision
