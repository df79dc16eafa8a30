"""The installed program: `firstlight train data=mnist`, and the other commands."""

import importlib
import sys

from firstlight.checks import suggestion

# These use a trained run.
TRAINED = ("evaluate", "predict", "explain", "compare", "report", "sample", "export", "serve", "demo")
COMMANDS = ("train", "sweep", "preview", *TRAINED, "cache", "new")


def main() -> None:
    """Run the command that the first argument names."""
    command = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if command == "sweep":  # another name of `train -m`
        sys.argv.insert(1, "-m")
        command = "train"
    if command in COMMANDS:
        package = "firstlight.commands.trained" if command in TRAINED else "firstlight.commands"
        return importlib.import_module(f"{package}.{command}").main()
    if command in ("", "-h", "--help"):
        return print(f"firstlight {' | '.join(COMMANDS)}\nfirstlight COMMAND --help describes a command.")
    sys.exit(f"{command}: unknown command{suggestion(command, COMMANDS)}")
