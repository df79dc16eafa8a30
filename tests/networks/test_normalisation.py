import re
from typing import Any

import pytest
import torch
from torch import nn

from firstlight import networks
from firstlight.config import RunConfig
from firstlight.networks.layers import NORMALISATIONS, build_normalisation
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_task
from firstlight.transfer.pretrained import find_pretrained
from helpers.small import NUMBERS

KINDS = {
    "batch": (nn.BatchNorm1d, nn.BatchNorm2d),
    "layer": (nn.GroupNorm,),
    "group": (nn.GroupNorm,),
    "none": (),
}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
PUBLISHED = {
    "alexnet": networks.AlexNet,
    "efficientnet_lite0": networks.EfficientNetLite,
    "googlenet": networks.GoogLeNet,
    "mobilenet": networks.MobileNet,
    "resnet18": networks.ResNet,
    "vgg11": networks.VGG,
}
HAVE_IT = [*PUBLISHED, "autoencoder", "cnn", "inception", "lenet", "mlp"]
COLOURS = DataSpec((3, 32, 32), 4, tuple("abcd"), (0.5,) * 3, (0.5,) * 3)


def build(model: str, *words: str) -> Any:
    return build_task(RunConfig.from_overrides(f"model={model}", "model.weights=null", *words), COLOURS)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model, name)
        for model in HAVE_IT
        for name in NORMALISATIONS
        if name != "layer" or model in ("cnn", "mlp")  # group normalisation with one group, by the same code
    ],
)
def test_every_network_has_the_normalisation_of_its_option(model: str, name: str) -> None:
    task = build(model, f"model.normalisation={name}")
    found = [layer for layer in task.network.modules() if isinstance(layer, NORMS)]
    assert bool(found) == (name != "none")
    assert all(isinstance(layer, KINDS[name]) for layer in found)
    inputs = task.preprocess(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8))
    outputs = task.eval().network(inputs)
    assert outputs.isfinite().all()
    if name in ("layer", "group", "none"):  # a sample does not depend on the others of its batch, in training either
        for layer in task.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        with torch.no_grad():
            torch.testing.assert_close(task.train().network(inputs)[:1], task.network(inputs[:1]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("features", [6, 25, 50, 64, 120, 512])
def test_layer_and_group_normalisation_give_each_group_mean_0_and_variance_1(features: int) -> None:
    inputs = torch.randn(3, features, 4, 4) * 5 + 2
    for name in ("layer", "group"):
        (layer,) = build_normalisation(name, features, of_images=True)
        groups = int(layer.num_groups)  # type: ignore[arg-type]
        assert groups == 1 if name == "layer" else groups <= 32 and (groups == 1 or features // groups >= 8)
        parts = layer(inputs).reshape(3 * groups, -1)
        torch.testing.assert_close(parts.mean(1), torch.zeros(3 * groups), rtol=0, atol=1e-4)
        torch.testing.assert_close(parts.var(1, correction=0), torch.ones(3 * groups), rtol=1e-3, atol=1e-3)


def test_numbers_and_old_options_keep_their_meaning() -> None:
    mlp = networks.MLP(NUMBERS, hidden_sizes=(8, 8), normalisation="batch")
    assert [type(layer).__name__ for layer in mlp.hidden][:3] == ["Linear", "BatchNorm1d", "ReLU"]
    for words, kind in {("model.batch_norm=false",): (), ("model.batch_norm=true",): (nn.BatchNorm2d,)}.items():
        assert {type(x) for x in build("cnn", *words).network.modules() if isinstance(x, NORMS)} == set(kind)
    both = build("cnn", "model.batch_norm=true", "model.normalisation=none")
    assert not [layer for layer in both.network.modules() if isinstance(layer, NORMS)]
    assert all(layer.bias is not None for layer in both.network.modules() if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("kind", PUBLISHED.values())
def test_published_weights_need_the_normalisation_they_were_trained_with(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"normalisation=group: must be (batch|batch or none|none) with published"):
        find_pretrained(kind, "default", {"normalisation": "group"})


@pytest.mark.parametrize("model", HAVE_IT)
def test_an_unknown_normalisation_is_refused(model: str) -> None:
    message = re.escape("normalisation=bacth: unknown normalisation, did you mean 'batch'?")
    with pytest.raises(ValueError, match=message):
        build(model, "model.normalisation=bacth")


@pytest.mark.parametrize("model", ["lenet", "resnet18"])
def test_dropout_drops_in_training_only(model: str) -> None:
    name = "none" if model == "lenet" else "layer"
    network = build(model, "model.dropout=0.9", f"model.normalisation={name}").network
    inputs = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.eval()(inputs), network(inputs))
        assert not torch.equal(network.train()(inputs), network(inputs))
