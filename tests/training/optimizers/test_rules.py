"""Every optimizer of configs/optimizer follows its published rule, written here in NumPy, on a quadratic function."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.config.instantiate import bind

Array = Any
Step = Callable[[Array, Array, int], Array]  # weights, gradient, number of the step from 1 -> new weights


def sgd(o: dict[str, Any]) -> Step:
    """Polyak 1964, and Sutskever et al. 2013 in the form that needs only the current gradient."""
    velocity: Any = 0.0
    momentum = o.get("momentum", 0.0)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal velocity
        g = g + o["weight_decay"] * w
        velocity = momentum * velocity + g
        return w - o["lr"] * (g + momentum * velocity if o.get("nesterov") else velocity)

    return step


def adagrad(o: dict[str, Any]) -> Step:
    total: Any = 0.0

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal total
        g = g + o["weight_decay"] * w
        total = total + g**2
        return w - o["lr"] * g / (np.sqrt(total) + 1e-10)

    return step


def rmsprop(o: dict[str, Any]) -> Step:
    square: Any = 0.0
    assert o["momentum"] == 0

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal square
        g = g + o["weight_decay"] * w
        square = o["alpha"] * square + (1 - o["alpha"]) * g**2
        return w - o["lr"] * g / (np.sqrt(square) + 1e-8)

    return step


def adadelta(o: dict[str, Any]) -> Step:
    square: Any = 0.0
    steps: Any = 0.0
    rho = o["rho"]

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal square, steps
        g = g + o["weight_decay"] * w
        square = rho * square + (1 - rho) * g**2
        change = np.sqrt(steps + 1e-6) / np.sqrt(square + 1e-6) * g
        steps = rho * steps + (1 - rho) * change**2
        return w - o["lr"] * change

    return step


def adam(o: dict[str, Any], decoupled: bool = False) -> Step:
    mean: Any = 0.0
    square: Any = 0.0
    one, two = o["betas"]

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal mean, square
        if decoupled:
            w = w - o["lr"] * o["weight_decay"] * w
        else:
            g = g + o["weight_decay"] * w
        mean, square = one * mean + (1 - one) * g, two * square + (1 - two) * g**2
        return w - o["lr"] * (mean / (1 - one**t)) / (np.sqrt(square / (1 - two**t)) + 1e-8)

    return step


def adamw(o: dict[str, Any]) -> Step:
    return adam(o, decoupled=True)


def lion(o: dict[str, Any]) -> Step:
    mean: Any = 0.0
    one, two = o["betas"]

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal mean
        direction = np.sign(one * mean + (1 - one) * g)
        mean = two * mean + (1 - two) * g
        return w - o["lr"] * (direction + o["weight_decay"] * w)

    return step


def bfloat16(values: Array) -> Array:
    """Round to bfloat16, to the nearest even number."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def orthogonalised(update: Array, iterations: int) -> Array:
    """Jordan et al. 2024: the Newton-Schulz iteration, in bfloat16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = bfloat16(update)
    x = x.T if x.shape[0] > x.shape[1] else x
    x = bfloat16(x / bfloat16(np.linalg.norm(x)))
    for _ in range(iterations):
        gram = bfloat16(x @ x.T)
        polynomial = bfloat16(b * gram + c * (gram @ gram))
        x = bfloat16(a * x + polynomial @ x)
    return x.T if update.shape[0] > update.shape[1] else x


def muon(o: dict[str, Any]) -> Step:
    mean: Any = 0.0
    others = adamw(o)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal mean
        if w.ndim != 2:
            return others(w, g, t)
        mean = o["momentum"] * mean + (1 - o["momentum"]) * g
        update = (1 - o["momentum"]) * g + o["momentum"] * mean
        scale = 0.2 * np.sqrt(max(w.shape))  # Liu et al. 2025, equation 4
        return w * (1 - o["lr"] * o["weight_decay"]) - o["lr"] * scale * orthogonalised(update, o["ns_steps"])

    return step


RULES = {
    "adadelta": adadelta,
    "adagrad": adagrad,
    "adam": adam,
    "adamw": adamw,
    "gradient_descent": sgd,
    "lion": lion,
    "momentum": sgd,
    "muon": muon,
    "nesterov": sgd,
    "rmsprop": rmsprop,
    "sgd": sgd,
}
OPTIMIZERS = sorted(path.stem for path in (CONFIG_DIR / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_follows_its_published_rule(name: str) -> None:
    """f(W) = tr(W'AW) / 2 of a matrix, and f(w) = w'Aw / 2 of a vector; the gradients are AW and Aw."""
    options = RunConfig.from_overrides(f"optimizer={name}").optimizer
    curvature = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]])
    start = np.random.default_rng(0).standard_normal((3, 3))
    expected = [start[:, :2].copy(), start[:, 2].copy()]
    weights = [nn.Parameter(torch.tensor(each)) for each in expected]
    rules = [RULES[name](options) for _ in weights]  # a new YAML file needs its rule
    optimizer = bind("optimizer", options)(weights)
    matrix = torch.tensor(curvature)
    for number in range(1, 21):
        optimizer.zero_grad()
        sum((each * (matrix @ each)).sum() / 2 for each in weights).backward()  # type: ignore[union-attr]
        optimizer.step()
        expected = [rule(w, curvature @ w, number) for rule, w in zip(rules, expected, strict=True)]
        for found, right in zip(weights, expected, strict=True):
            np.testing.assert_allclose(found.detach().numpy(), right, rtol=0, atol=1e-6)
    assert np.abs(expected[0] - start[:, :2]).max() > 1e-3
