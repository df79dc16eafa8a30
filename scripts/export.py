"""Export a finished run to a file that runs without firstlight: `export.py run=outputs/mnist-lenet/...`."""

from firstlight.commands.trained.export import main

if __name__ == "__main__":
    main()
