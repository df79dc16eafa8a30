"""What a run has found, sample by sample: figures and tables, calibration, and a threshold for two classes.

`write` puts the figures and the table of the classes into a folder, for a finished training and for an evaluation.
"""
