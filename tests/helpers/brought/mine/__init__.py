"""The project of tests/brought/test_project.py, whose folder stands in no path of Python."""
