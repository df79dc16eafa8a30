"""Checking: compare a config with the signatures of the classes that it names, before these are imported."""
