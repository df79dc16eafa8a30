"""The command `backprop`: every number of a small network's forward and backward pass."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs.figures.canvas import check_output
from lessons.functions import FUNCTIONS
from lessons.network_figure import draw_network
from lessons.small_network import (
    Layer,
    Matrix,
    Pass,
    Vector,
    backward,
    compare_with_autograd,
    descended,
    error,
    forward,
    gradient,
)
from lessons.tables import number

_MAX_DIFFERENCE = 1e-7  # relative; PyTorch's softplus is a straight line above 20, which is off by 2e-9
_LARGEST = 1e6  # of inputs and weights, so that no product overflows


def main() -> None:
    """Entry point of scripts/backprop.py."""
    run_command("backprop", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("lessons.backprop.backprop", config)
    backprop(**config)
    return {}


def backprop(
    inputs: Sequence[float],
    target: Sequence[float],
    hidden_sizes: Sequence[int] = (2,),
    weights: Sequence[Sequence[Sequence[float]]] | None = None,
    biases: Sequence[Sequence[float]] | None = None,
    activation: str = "sigmoid",
    rate: float = 0.5,
    seed: int = 1,
    output: str | Path | None = None,
) -> list[Layer]:
    """Print the forward pass, the backward pass and one step of gradient descent of a network of linear layers.

    The error is E = sum of (a - target)² / 2 over the outputs a. The derivatives are compared with those of autograd.

    Args:
        inputs: the sample, (inputs,).
        target: the outputs that the network should have, (outputs,).
        hidden_sizes: units of each hidden layer, if the weights are drawn.
        weights: for each layer, a row for each unit: a weight for each input; None to draw them.
        biases: for each layer, a bias for each unit; None for 0.
        activation: the activation of every layer, the last one included; see `functions.FUNCTIONS`.
        rate: learning rate of the step.
        seed: seed of the weights.
        output: path of a figure of the network; None for none.

    Returns:
        The derivatives of E by the weights and biases of each layer.

    Raises:
        ValueError: an option is out of its range, a list is empty, or the lengths of two lists do not fit, or the
            figure cannot be written.
    """
    choose("activation", activation, FUNCTIONS, "activation")
    check_range("rate", rate, above=0, below=math.inf)
    _check_vector("inputs", inputs)
    _check_vector("target", target)
    path = check_output(output)
    drawn = _draw([len(inputs), *hidden_sizes, len(target)], seed) if weights is None else weights
    layers = _layers(drawn, biases, inputs, target)
    passes = forward(layers, list(map(float, inputs)), activation)
    deltas = backward(layers, passes, target, activation)
    gradients = [gradient(delta, done) for delta, done in zip(deltas, passes, strict=True)]
    print("\n".join([*_layer_lines(layers), "", *_forward_lines(layers, passes, target, activation)]))
    print("\n".join(["", *_backward_lines(layers, passes, deltas, target, activation)]))
    difference, count = compare_with_autograd(layers, inputs, target, activation, gradients)
    assert difference < _MAX_DIFFERENCE, difference
    print(f"\nautograd of PyTorch: all {count} derivatives agree")
    stepped = [descended(layer, slopes, rate) for layer, slopes in zip(layers, gradients, strict=True)]
    after = error(forward(stepped, list(map(float, inputs)), activation)[-1].outputs, target)
    print(f"\none step w - {rate:g} dE/dw")
    print("\n".join([*_layer_lines(stepped), f"error E = {_text(after)}"]))
    if path is not None:
        draw_network(layers, passes, deltas, path)
    return gradients


def _draw(sizes: Sequence[int], seed: int) -> list[Matrix]:
    """Draw weights from -1 to 1 with two decimals, so that the printed numbers are exact."""
    import torch

    from firstlight.randomness import generator

    for size in sizes:
        check_range("hidden_sizes", size, at_least=1, at_most=64)
    random = generator(seed, "backprop")
    shapes = zip(sizes[1:], sizes[:-1], strict=True)
    draws = [torch.rand(shape, generator=random, dtype=torch.float64).tolist() for shape in shapes]
    return [[[round(2 * value - 1, 2) for value in row] for row in matrix] for matrix in draws]


def _layers(
    weights: Sequence[Sequence[Sequence[float]]],
    biases: Sequence[Sequence[float]] | None,
    inputs: Sequence[float],
    target: Sequence[float],
) -> list[Layer]:
    """Return the layers, whose sizes fit each other, the inputs and the target."""
    size = len(inputs)
    for place, matrix in enumerate(weights):
        if not matrix or any(len(row) != size for row in matrix):
            raise ValueError(f"weights: must hold {size} numbers for each unit of layer {place + 1}, its inputs.")
        for row in matrix:
            _check_vector("weights", row)
        size = len(matrix)
    if size != len(target) or not weights:
        raise ValueError(f"target={list(target)}: must be {size} numbers, one for each unit of the last layer.")
    sizes = [len(matrix) for matrix in weights]
    offsets = [[0.0] * units for units in sizes] if biases is None else biases
    if [len(vector) for vector in offsets] != sizes:
        raise ValueError(f"biases={biases}: must be lists of {', '.join(map(str, sizes))} numbers, one for each unit.")
    for vector in offsets:
        _check_vector("biases", vector)
    pairs = zip(weights, offsets, strict=True)
    return [Layer([list(map(float, row)) for row in matrix], list(map(float, vector))) for matrix, vector in pairs]


def _check_vector(key: str, values: Sequence[float]) -> None:
    if not values or not all(abs(value) <= _LARGEST for value in values):
        raise ValueError(f"{key}={list(values)}: must be at least one number, none beyond {_LARGEST:g}.")


def _layer_lines(layers: Sequence[Layer]) -> list[str]:
    return [
        f"{_place(index, unit)}  w = {_texts(row)}  bias = {_text(bias)}"
        for index, layer in enumerate(layers)
        for unit, (row, bias) in enumerate(zip(layer.weights, layer.biases, strict=True))
    ]


def _forward_lines(
    layers: Sequence[Layer], passes: Sequence[Pass], target: Sequence[float], activation: str
) -> list[str]:
    lines = [f"forward pass: z = w · inputs + bias, a = {activation}(z)"]
    for index, (layer, done) in enumerate(zip(layers, passes, strict=True)):
        for unit, (row, bias, z, a) in enumerate(zip(*layer, done.sums, done.outputs, strict=True)):
            terms = " + ".join(f"{_text(w)}·{_text(x)}" for w, x in zip(row, done.inputs, strict=True))
            lines.append(f"{_place(index, unit)}  z = {terms} + {_text(bias)} = {_text(z)}  a = {_text(a)}")
    outputs = passes[-1].outputs
    terms = " + ".join(f"({_text(a)} - {_text(t)})²" for a, t in zip(outputs, target, strict=True))
    return [*lines, f"error E = ({terms}) / 2 = {_text(error(outputs, target))}"]


def _backward_lines(
    layers: Sequence[Layer],
    passes: Sequence[Pass],
    deltas: Sequence[Vector],
    target: Sequence[float],
    activation: str,
) -> list[str]:
    lines = ["backward pass: dE/dz = dE/da · da/dz, dE/dw = dE/dz · input, dE/dbias = dE/dz"]
    for index in reversed(range(len(layers))):
        for unit, delta in enumerate(deltas[index]):
            terms, by_output = _by_output(layers, passes, deltas, target, index, unit)
            slope = FUNCTIONS[activation].derivative(passes[index].sums[unit])
            by_weight = [delta * x for x in passes[index].inputs]
            place = _place(index, unit)
            results = f"da/dz = {_text(slope)}  dE/dz = {_text(delta)}"
            lines.append(f"{place}  dE/da = {terms} = {_text(by_output)}  {results}")
            lines.append(f"{'':{len(place)}}  dE/dw = {_texts(by_weight)}  dE/dbias = {_text(delta)}")
    return lines


def _by_output(
    layers: Sequence[Layer],
    passes: Sequence[Pass],
    deltas: Sequence[Vector],
    target: Sequence[float],
    index: int,
    unit: int,
) -> tuple[str, float]:
    """Return how dE/da of a unit is computed, and its value."""
    if index == len(layers) - 1:
        a, t = passes[-1].outputs[unit], target[unit]
        return f"{_text(a)} - {_text(t)}", a - t
    pairs = [(d, row[unit]) for d, row in zip(deltas[index + 1], layers[index + 1].weights, strict=True)]
    return " + ".join(f"{_text(d)}·{_text(w)}" for d, w in pairs), sum(d * w for d, w in pairs)


def _place(index: int, unit: int) -> str:
    return f"layer {index + 1} unit {unit + 1}"


def _text(value: float) -> str:
    return number(value, ".6g")


def _texts(values: Sequence[float]) -> str:
    return f"[{', '.join(map(_text, values))}]"
