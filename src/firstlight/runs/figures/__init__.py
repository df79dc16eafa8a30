"""Figures with axes and labels, drawn by matplotlib: `canvas` has the colours and formats, each other file one figure.

matplotlib is imported when a figure is drawn, because the import takes half a second.
"""
