"""The code of this project: a data set, a network and a metric."""
