"""Predict images, tables or texts: `predict.py run=outputs/digits-lenet/... input=photos/`."""

from firstlight.commands.trained.predict import main

if __name__ == "__main__":
    main()
