"""Compare runs: `compare.py outputs/digits-lenet/... outputs/digits-mlp/...`, or the folder of a sweep."""

from firstlight.commands.trained.compare import main

if __name__ == "__main__":
    main()
