"""Commands: one thin module for each, which checks the words, calls the other packages, and exits.

`jobs` runs a command once or for each job of a sweep, and `main` is the installed program.
"""
