"""Predict images, tables or texts: `predict.py run=outputs/digits-lenet/... input=photos/`."""

from firstlight.commands.predict import main

if __name__ == "__main__":
    main()
