"""Explanations: what in an image, a text or a table decides a prediction, and how strongly.

`attributions` explains images by their gradients, `channels` shows what the layers see, `tokens` has the loss of each
token of a text, `importance` permutes the columns of a table, `contributions` explains single rows, and `errors`
compares images with their reconstructions. `drawing/` makes a figure of each; `explainer` chooses by task and data.
"""
