"""Predict the classes of images: `predict.py run=outputs/digits-lenet/... input=photos/`."""

from firstlight.commands.cli import predict

if __name__ == "__main__":
    predict()
