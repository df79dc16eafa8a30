"""Evaluate a finished run: `evaluate.py run=outputs/digits-lenet/...`."""

from firstlight.commands.trained.evaluate import main

if __name__ == "__main__":
    main()
