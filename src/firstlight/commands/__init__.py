"""Commands: a thin module for each, which checks the arguments and calls a function of another package.

`jobs` runs a command once or for each job of a sweep, and `main` is the installed program.
"""
