"""firstlight: from a few words on the command line to a trained, usable network.

Importing it is free: torch and Lightning are imported by the modules that need them.
"""

__version__ = "0.1.0"
