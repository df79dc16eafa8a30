"""Commands: one module for each command; they parse words, call the other packages, and print."""
