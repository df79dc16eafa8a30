"""A network that is an object of the user's program, and not built from a config."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn

from firstlight.spec import DataSpec

_given: ContextVar[nn.Module | None] = ContextVar("_given", default=None)


class LiveNetwork(nn.Module):
    """Stands in a config for a module that only the user's program can build, see `given_network`.

    Building it returns that module itself, as it is: with its own weights. The config has the dotted path of its class
    and a description of its layers.

    Raises:
        ValueError: no module is given, or it cannot take a sample of the data, or its outputs do not fit.
    """

    def __new__(cls, spec: DataSpec, *, name: str, description: str) -> nn.Module:  # type: ignore[misc]
        network = _given.get()
        if network is None:
            raise ValueError(
                f"must be given as an object, because the run has trained one of the class {name}."
                " To fix: in Python, firstlight.load_run(run, model=...)."
            )
        _check_outputs(network, spec)
        return network


@contextmanager
def given_network(network: nn.Module | None) -> Iterator[None]:
    """Let `LiveNetwork` return this module within the block, in this thread."""
    token = _given.set(network)
    try:
        yield
    finally:
        _given.reset(token)


@torch.no_grad()
def _check_outputs(network: nn.Module, spec: DataSpec) -> None:
    """Check that the network takes two samples, and returns a row of `num_outputs` for each.

    Raises:
        ValueError: it does not.
    """
    tensor = next((each for each in network.parameters()), torch.empty(0))
    dtype = torch.int32 if spec.kind == "tokens" else torch.float32
    samples = torch.zeros(2, *spec.input_shape, dtype=dtype, device=tensor.device)
    name, was_training, shape = type(network).__name__, network.training, "x".join(map(str, samples.shape))
    try:
        outputs: Any = network.eval()(samples)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{name} must take a batch of shape {shape} ({type(error).__name__}: {reason}).") from error
    finally:
        network.train(was_training)
    expected = (2, spec.num_outputs)
    if spec.kind != "tokens" and getattr(network, "task", None) is None and getattr(outputs, "shape", None) != expected:
        found = "x".join(map(str, outputs.shape)) if hasattr(outputs, "shape") else type(outputs).__name__
        raise ValueError(
            f"{name} must return a tensor of shape 2x{spec.num_outputs} for a batch of shape {shape},"
            f" an output for each of {', '.join(spec.labels[:5])}{', …' if len(spec.labels) > 5 else ''}, not {found}."
        )
