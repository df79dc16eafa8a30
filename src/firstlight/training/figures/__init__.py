"""Figures of a training for TensorBoard and the other loggers: `callback` says which ones there are and when.

What is drawn in each epoch is drawn by Pillow, because matplotlib would take a tenth of a second for it.
"""
