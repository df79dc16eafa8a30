"""Evaluate a finished run: `evaluate.py run=outputs/digits-lenet/...`."""

from firstlight.commands.cli import evaluate

if __name__ == "__main__":
    evaluate()
