"""A trained task as one module, from decoded samples to answers, without anything to read or to look up."""

import torch
from torch import Tensor, nn

from firstlight.runs.export.ground import InvertOther
from firstlight.runs.export.raw_images import RawImages
from firstlight.tasks import Task

_BATCH = 2  # of the example; 1 would be taken for a constant


class Portable(nn.Module):
    """A trained task that takes decoded samples.

    | data | input | shape |
    | --- | --- | --- |
    | images | `images`, uint8: red, green, blue and opacity | (batch, any height, any width, 4) |
    | numbers | `rows`, float32: the columns of the spec | (batch, columns) |
    | tokens | `tokens`, int32: their places in the vocabulary; any after the end of a short text | (batch, length) |
    | none, for a generator | `latents`, float32 | (batch, latent_dim) |

    Args:
        task: the trained task.

    Attributes:
        input_name: name of the input.
        output_names: names of the outputs, see `Task.answers`.
        example: an input.
        axes: names of the axes of the input that have any length, by their index.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.prepare, self.input_name, self.example, self.axes = _input(task)
        self.task = task.eval().requires_grad_(False)
        with torch.inference_mode():
            self.output_names = tuple(task.answers(self.prepare(self.example)))

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the answers in the order of `output_names`."""
        return tuple(self.task.answers(self.prepare(inputs)).values())


def _input(task: Task) -> tuple[nn.Module, str, Tensor, dict[int, str]]:
    spec = task.spec
    if task.latent_dim is not None:
        return nn.Identity(), "latents", torch.zeros(_BATCH, task.latent_dim), {0: "batch"}
    if spec.kind == "numbers":
        return nn.Identity(), "rows", torch.zeros(_BATCH, *spec.input_shape), {0: "batch"}
    if spec.kind == "tokens":
        return nn.Identity(), "tokens", torch.zeros(_BATCH, *spec.input_shape, dtype=torch.int32), {0: "batch"}
    other = nn.Identity() if spec.ground is None else InvertOther(spec.ground, spec.margin)
    example = torch.zeros(_BATCH, 37, 53, 4, dtype=torch.uint8)
    axes = {0: "batch", 1: "height", 2: "width"}
    return nn.Sequential(RawImages(spec), other), "images", example, axes
