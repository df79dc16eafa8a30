"""Explain predictions in a figure: `explain.py run=outputs/digits-lenet/... input=photo.png`."""

from firstlight.commands.trained.explain import main

if __name__ == "__main__":
    main()
