"""The learning rate range test (Smith 2017): a short training in which the learning rate grows with each step.

`curve` has what it finds, `steps` the short training, and `run` the files and the message of a run.
"""
