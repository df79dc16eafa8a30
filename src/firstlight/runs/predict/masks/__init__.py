"""Masks of predictions, as PNG files in the size of their images."""

from firstlight.runs.predict.masks.files import MaskFiles as MaskFiles
