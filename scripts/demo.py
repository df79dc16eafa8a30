"""Serve a page on which a finished run answers: `demo.py run=outputs/mnist-lenet/...`."""

from firstlight.commands.trained.demo import main

if __name__ == "__main__":
    main()
