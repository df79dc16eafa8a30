"""From a raw batch to a network's input, on the device, a whole batch at a time."""

from firstlight.augment.preprocess import Preprocess as Preprocess
