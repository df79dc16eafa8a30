"""Samples of data sets that other packages define: chosen, understood and stored as arrays."""
