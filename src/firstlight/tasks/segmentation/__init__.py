"""Semantic segmentation: a class for each pixel."""

from firstlight.tasks.segmentation.segmentation import Segmentation as Segmentation
