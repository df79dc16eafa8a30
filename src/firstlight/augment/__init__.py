"""Augmentation: convert a raw batch to a network's input on the device, a whole batch at a time.

`Augment` is the pipeline, `Preprocess` its part without random changes; the other classes are the steps.
"""

from firstlight.augment.colour import Brightness as Brightness
from firstlight.augment.colour import ChannelShift as ChannelShift
from firstlight.augment.colour import Contrast as Contrast
from firstlight.augment.colour import Grey as Grey
from firstlight.augment.colour import Saturation as Saturation
from firstlight.augment.filters import Blur as Blur
from firstlight.augment.filters import Cutout as Cutout
from firstlight.augment.filters import Noise as Noise
from firstlight.augment.geometry import Flip as Flip
from firstlight.augment.geometry import PadAndCrop as PadAndCrop
from firstlight.augment.geometry import Perspective as Perspective
from firstlight.augment.geometry import RandomResizedCrop as RandomResizedCrop
from firstlight.augment.geometry import Rotate as Rotate
from firstlight.augment.geometry import Shear as Shear
from firstlight.augment.geometry import Shift as Shift
from firstlight.augment.geometry import VerticalFlip as VerticalFlip
from firstlight.augment.geometry import Zoom as Zoom
from firstlight.augment.hue import Hue as Hue
from firstlight.augment.mixing import Cutmix as Cutmix
from firstlight.augment.mixing import Mixup as Mixup
from firstlight.augment.module_step import ModuleStep as ModuleStep
from firstlight.augment.pipeline import Augment as Augment
from firstlight.augment.preprocess import Preprocess as Preprocess
from firstlight.augment.preprocess import preprocess_for as preprocess_for
from firstlight.augment.token_steps import DeleteTokens as DeleteTokens
from firstlight.augment.token_steps import InsertTokens as InsertTokens
from firstlight.augment.token_steps import ReplaceSynonyms as ReplaceSynonyms
from firstlight.augment.token_steps import ReplaceTokens as ReplaceTokens
from firstlight.augment.token_steps import SwapTokens as SwapTokens
