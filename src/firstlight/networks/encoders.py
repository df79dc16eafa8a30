"""Networks for classes as encoders: without their heads, they return feature maps of several sizes."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.checks import choose
from firstlight.networks.efficientnet_lite import EfficientNetLite
from firstlight.networks.mobilenet import MobileNet
from firstlight.networks.network import Network
from firstlight.networks.resnet import ResNet
from firstlight.networks.vgg import VGG
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained

_NETWORK = "network."  # prefix of the names of an encoder's weights


_Stage = Sequence[str]  # names of modules that are applied one after another


@dataclass(frozen=True)
class _Form:
    """How a network becomes an encoder.

    Attributes:
        network: class of the network.
        stages: returns the stages of a network. Each feature map that an encoder returns ends a stage.
        unused: names of the children that only classes need.
        options: options of the network.
    """

    network: type[Network]
    stages: Callable[[Any], Sequence[_Stage]]
    unused: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def _lite(network: Any) -> list[_Stage]:
    return [("conv_stem", "bn1", "activation"), *((f"blocks.{place}",) for place in range(len(network.blocks)))]


def _resnet(_: Any) -> list[_Stage]:
    return [("conv1", "bn1", "activation"), ("maxpool", "layer1"), ("layer2",), ("layer3",), ("layer4",)]


def _sequence(network: Any) -> list[_Stage]:
    return [(f"features.{place}",) for place in range(len(network.features))]


_RESNET = _Form(ResNet, _resnet, ("avgpool", "dropout", "fc"))
_VGG = _Form(VGG, _sequence, ("avgpool", "classifier"))
ENCODERS = {
    "efficientnet_lite0": _Form(EfficientNetLite, _lite, ("conv_head", "bn2", "avgpool", "dropout", "classifier")),
    "mobilenet": _Form(MobileNet, _sequence, ("avgpool", "classifier")),
    **{f"resnet{depth}": replace(_RESNET, options={"depth": depth}) for depth in (18, 34, 50)},
    **{f"vgg{depth}": replace(_VGG, options={"depth": depth}) for depth in (11, 13, 16, 19)},
}
"""The networks that are encoders, by their names in `configs/model`."""


class Encoder(nn.Module):
    """A network for classes without its head. It returns its last feature maps of each size.

    Args:
        spec: spec of the images.
        name: a name among `ENCODERS`.

    Raises:
        ValueError: the name is unknown, or the images are too small for the network.
    """

    def __init__(self, spec: DataSpec, name: str) -> None:
        super().__init__()
        form = ENCODERS[choose("encoder", name, ENCODERS, "encoder")]
        self.network = form.network(spec, **form.options)
        self.stages = form.stages(self.network)
        for child in form.unused:
            delattr(self.network, child)

    def modules_of_stages(self) -> list[list[nn.Module]]:
        """Return the modules of each stage, from the input on."""
        return [[self.network.get_submodule(name) for name in stage] for stage in self.stages]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return the feature maps (batch, channels, height, width), from the largest to the smallest."""
        found: list[Tensor] = []
        for stage in self.stages:
            for name in stage:
                inputs = self.network.get_submodule(name)(inputs)
            if found and found[-1].shape[2:] == inputs.shape[2:]:
                found[-1] = inputs
            else:
                found.append(inputs)
        return found


class OnEncoder(Network):
    """A network that reads the feature maps of an `Encoder`, if its option `encoder` names one.

    Attributes:
        encoder: the encoder, or convolutions that learn from scratch.
    """

    encoder: nn.Module

    def encoder_stages(self) -> list[list[nn.Module]] | None:
        """Return the modules of each stage of a named encoder; None without one."""
        return self.encoder.modules_of_stages() if isinstance(self.encoder, Encoder) else None

    @classmethod
    def pretrained(cls, weights: str, /, *, encoder: str | None = None, **_: Any) -> Pretrained | None:
        """Return the published weights of the encoder; None without a named one.

        Raises:
            ValueError: the name of the encoder or of the weights is unknown.
        """
        return None if encoder is None else _weights(encoder, weights)


def shapes_of(encoder: nn.Module, spec: DataSpec) -> list[tuple[int, int, int]]:
    """Return the (channels, height, width) of the feature maps that an encoder returns, without computing them."""
    shadow = copy.deepcopy(encoder).to("meta").eval()
    with torch.no_grad():
        found = shadow(torch.empty(1, *spec.input_shape, device="meta"))
    return [tuple(each.shape[1:]) for each in found]


def _weights(name: str, weights: str) -> Pretrained:
    """Return published weights for the attribute `encoder` of a network. They keep the size of the data."""
    form = ENCODERS[choose("encoder", name, ENCODERS, "encoder")]
    found = form.network.pretrained(weights, **form.options)
    assert found is not None
    unused = tuple(f"{child}." for child in form.unused)

    def load() -> dict[str, Tensor]:
        return {f"encoder.{_NETWORK}{key}": value for key, value in found.load().items() if not key.startswith(unused)}

    return replace(found, load=load, labels=(), size=None)
