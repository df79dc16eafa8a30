"""Processes that train one run together: their connection to the process that starts them, and its supervision."""
