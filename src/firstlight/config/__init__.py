"""Config: from the words of a command line to one checked, frozen `RunConfig`. Nothing here imports torch."""
