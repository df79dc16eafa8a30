from dataclasses import replace

import pytest
import torch
from torch import nn

from firstlight.networks import EfficientNetLite, LeNet, Network, ResNet
from firstlight.networks.network import completed
from firstlight.spec import DataSpec
from firstlight.transfer.head import Head, head_name, head_removed, replace_head

SPEC = DataSpec((1, 16, 16), 7, tuple("abcdefg"), (0.5,), (0.2,))
INPUTS = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))


class TwoHeads(Network):
    head_names = ("one", "two")

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 2), nn.Linear(4, 2)


class ConvolutionAtTheEnd(nn.Sequential, Network):
    head_names = ("1",)

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), nn.Conv2d(4, 2, 1))


def test_the_head_is_the_last_linear_layer() -> None:
    assert head_name(completed(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Softmax(1)))) == "2"
    assert head_name(ResNet(SPEC)) == "fc"


@pytest.mark.parametrize("network", [completed(nn.Conv2d(1, 1, 1)), TwoHeads(), ConvolutionAtTheEnd()])
def test_a_network_without_a_single_linear_output_layer_has_no_head(network: nn.Module) -> None:
    assert head_name(network) is None
    with pytest.raises(ValueError, match=r"model\.head=linear: must be null, because \w+ does not end in a linear"):
        replace_head(network, "linear", num_outputs=2)


@pytest.mark.parametrize(("head", "layers"), [("linear", 1), ("mlp", 2)])
def test_replace_head_replaces_the_last_layer(head: str, layers: int) -> None:
    network = ResNet(SPEC).eval()
    replace_head(network, head, num_outputs=3)
    assert head_name(network) == "fc"
    assert sum(isinstance(layer, nn.Linear) for layer in network.fc.modules()) == layers
    assert isinstance(network.fc, Head) == (head == "mlp")
    assert network(INPUTS).shape == (2, 3)


def test_the_mlp_head_has_dropout_in_training_only() -> None:
    network = ResNet(SPEC)
    replace_head(network, "mlp", num_outputs=3)
    network.eval()
    features = torch.rand(2, 512)
    assert torch.equal(network.fc(features), network.fc(features))
    network.fc.train()
    assert not torch.equal(network.fc(features), network.fc(features))


def test_a_spatial_head_sees_where_something_is() -> None:
    network = EfficientNetLite(replace(SPEC, input_shape=(1, 64, 64))).eval()
    replace_head(network, "spatial", num_outputs=3)
    assert head_name(network) == "classifier"
    assert network.classifier.in_features == 16 * 1280
    assert network(torch.rand(2, 1, 64, 64)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"model\.head=spatial: must be linear or mlp, because LeNet takes no mean"):
        replace_head(LeNet(replace(SPEC, input_shape=(1, 32, 32))), "spatial", num_outputs=3)


def test_an_unknown_head_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"model\.head=svm: unknown head; known: linear, mlp, spatial\."):
        replace_head(ResNet(SPEC), "svm", num_outputs=3)


@pytest.mark.parametrize("head", [None, "mlp"])
def test_without_its_head_a_network_returns_features(head: str | None) -> None:
    network = ResNet(SPEC)
    if head:
        replace_head(network, head, num_outputs=7)
    layer = network.eval().fc
    with torch.no_grad():
        with head_removed(network, "fc") as backbone:
            features = backbone(INPUTS)
        assert features.shape == (2, 512)
        torch.testing.assert_close(network(INPUTS), layer(features))
    assert network.fc is layer


def test_the_head_is_restored_after_an_error() -> None:
    network = ResNet(SPEC)
    with pytest.raises(RuntimeError), head_removed(network, "fc") as backbone:
        backbone(torch.rand(2, 5, 16, 16))
    assert isinstance(network.fc, nn.Linear)
