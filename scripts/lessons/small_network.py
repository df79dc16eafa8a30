"""A small network of linear layers on plain numbers: forward pass, backward pass, and a step of gradient descent."""

from collections.abc import Sequence
from typing import NamedTuple

from lessons.functions import FUNCTIONS

Vector = list[float]
Matrix = list[Vector]  # a row for each unit, a column for each input


class Layer(NamedTuple):
    """Weights (units, inputs) and biases (units,), or the derivatives by them."""

    weights: Matrix
    biases: Vector


class Pass(NamedTuple):
    """The numbers of a layer in the forward pass: its inputs, the sums z, and the outputs a = f(z)."""

    inputs: Vector
    sums: Vector
    outputs: Vector


def forward(layers: Sequence[Layer], inputs: Vector, activation: str) -> list[Pass]:
    """Return the numbers of each layer: z = w · inputs + bias for each unit, and a = f(z)."""
    passes = []
    for layer in layers:
        rows = zip(layer.weights, layer.biases, strict=True)
        sums = [sum(w * x for w, x in zip(row, inputs, strict=True)) + bias for row, bias in rows]
        passes.append(Pass(inputs, sums, list(map(FUNCTIONS[activation].value, sums))))
        inputs = passes[-1].outputs
    return passes


def error(outputs: Sequence[float], target: Sequence[float]) -> float:
    """Return half the sum of the squared differences."""
    return sum((a - t) ** 2 for a, t in zip(outputs, target, strict=True)) / 2


def backward(layers: Sequence[Layer], passes: Sequence[Pass], target: Sequence[float], activation: str) -> list[Vector]:
    """Return dE/dz of each unit of each layer, computed from the last layer to the first by the chain rule."""
    by_output = [a - t for a, t in zip(passes[-1].outputs, target, strict=True)]  # dE/da
    deltas: list[Vector] = []
    for layer, done in zip(reversed(layers), reversed(passes), strict=True):
        slopes = map(FUNCTIONS[activation].derivative, done.sums)
        deltas.insert(0, [d * slope for d, slope in zip(by_output, slopes, strict=True)])
        by_output = [sum(d * w for d, w in zip(deltas[0], c, strict=True)) for c in zip(*layer.weights, strict=True)]
    return deltas


def gradient(delta: Vector, done: Pass) -> Layer:
    """Return dE/dw = dE/dz · input and dE/db = dE/dz of a layer."""
    return Layer([[d * x for x in done.inputs] for d in delta], delta)


def descended(layer: Layer, slopes: Layer, rate: float) -> Layer:
    """Return the layer after one step of gradient descent."""
    rows = zip(layer.weights, slopes.weights, strict=True)
    weights = [[w - rate * g for w, g in zip(row, derivatives, strict=True)] for row, derivatives in rows]
    return Layer(weights, [b - rate * g for b, g in zip(layer.biases, slopes.biases, strict=True)])


def compare_with_autograd(
    layers: Sequence[Layer],
    inputs: Sequence[float],
    target: Sequence[float],
    activation: str,
    gradients: Sequence[Layer],
) -> tuple[float, int]:
    """Return the largest difference from the derivatives of autograd, relative if they exceed 1, and their number."""
    import torch

    from firstlight.networks.layers import build_activation

    tensors = [[torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in layer] for layer in layers]
    outputs = torch.tensor(inputs, dtype=torch.float64)
    for weights, biases in tensors:
        outputs = build_activation(activation)(weights @ outputs + biases)
    torch.sum((outputs - torch.tensor(target, dtype=torch.float64)) ** 2 / 2).backward()
    ours = torch.cat([torch.tensor(part, dtype=torch.float64).flatten() for layer in gradients for part in layer])
    theirs = torch.cat([part.grad.flatten() for layer in tensors for part in layer if part.grad is not None])
    return ((ours - theirs).abs() / theirs.abs().clamp_min(1)).max().item(), len(theirs)
