"""Boxes in the pixels of the images that they were found in, and as a file in the format of COCO."""
