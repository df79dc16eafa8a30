"""Read the source code of classes and functions without importing it."""
