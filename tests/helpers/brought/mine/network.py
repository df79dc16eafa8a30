"""A network."""

from torch import Tensor, nn

from firstlight import DataSpec


class Small(nn.Module):
    """A convolution, and the mean of its outputs."""

    def __init__(self, spec: DataSpec, *, width: int = 8) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(spec.input_shape[0], width, 3)
        self.output = nn.Linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes)."""
        return self.output(self.convolution(images).relu().mean((2, 3)))
