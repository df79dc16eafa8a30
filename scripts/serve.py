"""Serve a trained network over HTTP: `serve.py run=outputs/digits-lenet/...`."""

from firstlight.commands.trained.serve import main

if __name__ == "__main__":
    main()
