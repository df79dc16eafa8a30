"""Comparisons of our networks with those of torchvision and timm."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from firstlight.networks.network import num_parameters
from firstlight.spec import DataSpec


def images_of(height: int, width: int | None = None, channels: int = 3, classes: int = 10) -> DataSpec:
    """Return the spec of images of this size."""
    labels = tuple(str(number) for number in range(classes))
    return DataSpec((channels, height, width or height), classes, labels, mean=(0.5,) * channels, std=(0.2,) * channels)


IMAGENET = images_of(224, classes=1000)


def size_on_imagenet(build: Callable[[DataSpec], nn.Module]) -> int:
    """Return the number of parameters at 3x224x224 with 1000 classes; the meta device allocates no memory."""
    with torch.device("meta"):
        return num_parameters(build(IMAGENET))


def assert_same_logits(ours: Callable[[DataSpec], nn.Module], theirs: Callable[[], nn.Module]) -> None:
    """Assert that both networks give the same logits with the same random weights, matched by name."""
    with torch.device("meta"):
        networks = [ours(IMAGENET).eval(), theirs().eval()]
    state, random = random_state(networks[1]), torch.Generator().manual_seed(1)
    for network in networks:
        network.load_state_dict(state, assign=True)
    inputs = torch.randn(1, 3, 224, 224, generator=random)
    with torch.no_grad():
        found, expected = (network(inputs) for network in networks)
    assert found.shape == (1, 1000)
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def random_state(network: nn.Module) -> dict[str, Tensor]:
    """Return a random state for a network, which may be on the meta device; every call returns the same state."""
    random = torch.Generator().manual_seed(0)
    return {name: _random(name, tensor, random) for name, tensor in network.state_dict().items()}


def _random(name: str, tensor: Tensor, random: torch.Generator) -> Tensor:
    """Draw values that keep signals from vanishing."""
    if tensor.ndim > 1:
        return torch.empty(tensor.shape).normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=random)
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    middle = 0.0 if name.endswith(("bias", "running_mean")) else 0.8
    return torch.empty(tensor.shape).uniform_(middle - 0.3, middle + 0.3, generator=random)
