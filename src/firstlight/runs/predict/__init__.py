"""Predictions: files go through a trained network, and each gets a row of a CSV file.

`predictor` has the way from the inputs to the file, and `images`, `tables` and `texts` read the kinds of inputs. What a
row contains is defined by the task, see `Task.predict_rows`.
"""

from firstlight.runs.predict.predictor import predict as predict
