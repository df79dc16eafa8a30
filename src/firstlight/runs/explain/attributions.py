"""Where in an image a network looks: Grad-CAM and integrated gradients, by captum.

Sources: Selvaraju et al. 2017, "Grad-CAM: Visual explanations from deep networks via gradient-based localization";
Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.runs.explain.features import find_features
from firstlight.runs.explain.outputs import Outputs
from firstlight.tasks import Task

STEPS = 50  # of the integral, as in the paper's section 5
_MIN_PLACES = 4  # rows and columns of the layer of Grad-CAM, if any layer has them; fewer hardly say where something is
_MAX_INPUTS = 2**20  # numbers that pass through the network at a time: seven colour images of 224x224


@dataclass(frozen=True)
class Attributions:
    """Explanations of a batch of images, at the size at which the network sees them. All tensors are on the CPU.

    Attributes:
        images: the images (batch, channels, height, width), from 0 to 1.
        chosen: the explained output of each image (batch,): the index of a class or of a target.
        grad_cam: where the network finds what speaks for the output, (batch, height, width), from 0 to 1; None if the
            network has no feature maps. Zero everywhere if nothing speaks for it.
        layer: name of the layer that Grad-CAM explains; None without one.
        integrated: integrated gradients (batch, height, width): how much each pixel adds to the output, summed over
            its channels, in logits or in the units of a target; None if they are not requested.
        differences: (batch,): by how much the output differs from that of an empty image. The integrated gradients of
            an image add up to this, apart from the error of the integral. None without them.
    """

    images: Tensor
    chosen: Tensor
    grad_cam: Tensor | None
    layer: str | None
    integrated: Tensor | None
    differences: Tensor | None


def explain_images(
    task: Task, raw: Tensor, chosen: Sequence[int] | None = None, *, integrated: bool = True
) -> Attributions:
    """Explain one output for each image of a batch.

    Args:
        task: a classification or regression of images, in evaluation mode.
        raw: raw images (batch, channels, height, width), uint8, as `Task.predict_rows` takes them.
        chosen: the index of the class or target to explain, for each image; None for the most likely class, or the
            first target.
        integrated: whether to compute integrated gradients, which take `STEPS` forward and backward passes.

    Raises:
        ValueError: the task is another one.
    """
    outputs = Outputs(task).eval()
    with torch.no_grad():
        inputs = task.preprocess(raw.to(task.device))
        numbers = outputs(inputs)
    targets = outputs.most_likely(numbers) if chosen is None else torch.tensor(chosen, device=inputs.device)
    layer, heat = _grad_cam(outputs, inputs, targets)
    gradients = differences = None
    if integrated:
        empty = _empty(task, inputs)
        gradients = integrated_gradients(outputs, inputs, empty, targets).sum(1).cpu()
        with torch.no_grad():
            differences = (numbers - outputs(empty))[torch.arange(len(inputs)), targets].cpu()
    images = task.preprocess.to_pixels(inputs).cpu()
    return Attributions(images, targets.cpu(), heat, layer, gradients, differences)


def integrated_gradients(outputs: nn.Module, inputs: Tensor, empty: Tensor, chosen: Tensor) -> Tensor:
    """Return how much each number of an input adds to the chosen output, on the way from an empty input.

    Args:
        outputs: takes inputs (batch, ...) and returns the numbers to explain (batch, outputs).
        inputs: (batch, ...).
        empty: the inputs without information at which the way begins, of the same shape.
        chosen: index of the output to explain, (batch,).

    Returns:
        (batch, ...), as the inputs. The sum over an input is the difference of its output from that of the empty one.
    """
    from captum.attr import IntegratedGradients  # here, because the import takes a second

    method = IntegratedGradients(outputs)
    at_a_time = max(1, min(STEPS, _MAX_INPUTS // max(1, inputs[0].numel())))
    with _gradients(outputs):
        parts = [
            method.attribute(one, start, target=int(index), n_steps=STEPS, internal_batch_size=at_a_time)
            for one, start, index in zip(inputs.split(1), empty.split(1), chosen, strict=True)
        ]
    return torch.cat(parts).detach().to(inputs.dtype)


def _grad_cam(outputs: Outputs, inputs: Tensor, chosen: Tensor) -> tuple[str | None, Tensor | None]:
    """Return the name of the last layer with feature maps, and where in the images it finds the chosen outputs."""
    from captum.attr import LayerGradCam

    found = find_features(outputs.task.network, inputs)
    if not found:
        return None, None
    explained = next((each for each in reversed(found) if min(each.values.shape[2:]) >= _MIN_PLACES), found[-1])
    with _gradients(outputs):
        # Frozen weights have no gradients, so the inputs need some.
        heat = LayerGradCam(outputs, explained.layer).attribute(
            inputs.clone().requires_grad_(), target=chosen, relu_attributions=True
        )
    heat = F.interpolate(heat.detach(), inputs.shape[2:], mode="bilinear")[:, 0]
    return explained.name, (heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-12)).cpu()


@contextmanager
def _gradients(network: nn.Module) -> Iterator[None]:
    """Compute gradients, in evaluation mode too, where cuDNN has none for recurrent layers."""
    is_recurrent = any(isinstance(layer, nn.RNNBase) for layer in network.modules())
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled and not is_recurrent):
        yield


def _empty(task: Task, inputs: Tensor) -> Tensor:
    """Return images of the ground alone: black, or white if that is the ground of the training images."""
    white = torch.full_like(inputs[:, :1], 255.0 if task.spec.ground == "light" else 0.0)
    return task.preprocess.normalise(white).expand_as(inputs)
