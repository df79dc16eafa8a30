import functools
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import get_model_weights
from torchvision.transforms.functional import normalize

from firstlight import networks
from firstlight.config import RunConfig
from firstlight.tasks.build import build_task
from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.pretrained import Pretrained
from helpers.served import served
from helpers.twin import IMAGENET, images_of, random_state

# Name in torchvision -> class and options in firstlight.
OURS: dict[str, tuple[Any, dict[str, Any]]] = {
    "alexnet": (networks.AlexNet, {}),
    "googlenet": (networks.GoogLeNet, {}),
    "mobilenet_v2": (networks.MobileNet, {}),
    **{f"resnet{depth}": (networks.ResNet, {"depth": depth}) for depth in (18, 34, 50, 101, 152)},
    **{f"vgg{depth}": (networks.VGG, {"depth": depth}) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": (networks.VGG, {"depth": depth, "batch_norm": True}) for depth in (11, 13, 16, 19)},
}
NAMES = [
    (architecture, entry.name)
    for architecture in OURS
    for entry in get_model_weights(architecture)
    if entry.name != "IMAGENET1K_FEATURES"
]


def pretrained(architecture: str, weights: str = "default") -> Pretrained:
    network, options = OURS[architecture]
    return network.pretrained(weights, **options)


@pytest.mark.parametrize(("architecture", "weights"), NAMES)
def test_the_metadata_of_the_weights_is_that_of_torchvision(architecture: str, weights: str) -> None:
    found, entry = pretrained(architecture, weights.lower()), get_model_weights(architecture)[weights]
    assert found.name == weights
    assert found.labels == tuple(entry.meta["categories"])
    assert (found.size, found.interpolation) == (224, "bilinear")
    assert found.crop == 224 / entry.transforms().resize_size[0]
    if architecture != "googlenet":
        assert found.mean == (0.485, 0.456, 0.406)
        assert found.std == (0.229, 0.224, 0.225)


@pytest.mark.parametrize("architecture", OURS)
def test_the_default_weights_are_those_of_torchvision(architecture: str) -> None:
    assert pretrained(architecture).name == get_model_weights(architecture).DEFAULT.name


@pytest.mark.parametrize("architecture", OURS)
def test_names_and_shapes_of_parameters_are_those_of_torchvision(architecture: str) -> None:
    network, options = OURS[architecture]
    with torch.device("meta"):
        ours = network(pretrained(architecture).spec(), **options)
        arguments = {"init_weights": False} if architecture == "googlenet" else {}  # without it torchvision warns
        theirs = getattr(torchvision.models, architecture)(**arguments)
    state = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    unused = tuple(getattr(network, "unused_prefixes", ()))
    expected = {name: shape for name, shape in state.items() if not name.startswith(unused)}
    assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == expected


@pytest.mark.parametrize(
    ("model", "theirs"),
    [
        ("resnet18", torchvision.models.resnet18),
        ("googlenet", functools.partial(torchvision.models.googlenet, init_weights=False, transform_input=True)),
    ],
)
def test_a_task_with_downloaded_weights_returns_the_logits_of_torchvision(
    model: str, theirs: Callable[[], nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.device("meta"):
        network = theirs().eval()
    state, file = random_state(network), io.BytesIO()
    network.load_state_dict(state, assign=True)
    torch.save(state, file)
    name = f"{model}-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with served({name: file.getvalue()}) as site:
        monkeypatch.setattr(get_model_weights(model).DEFAULT.value, "url", site.url + name)
        task = build_task(
            RunConfig.from_overrides(f"model={model}", "model.weights=default"),
            replace(IMAGENET, labels=imagenet_labels()),
        ).eval()
    raw = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = task.network(task.preprocess(raw))
        expected = network(normalize(raw / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_the_error_without_a_connection_names_an_alternative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(get_model_weights("resnet18").DEFAULT.value, "url", "http://127.0.0.1:1/resnet18-f37072fd.pth")
    with pytest.raises(ValueError, match=r"^model(?s:.*)Without a network connection: use model=efficientnet_lite0"):
        build_task(RunConfig.from_overrides("model=resnet18", "model.weights=default"), images_of(32))


@pytest.mark.parametrize(
    ("architecture", "weights", "reason"),
    [
        ("resnet50", "IMAGENET1K_V3", r"unknown weights, did you mean 'IMAGENET1K_V[12]'\? Without a network"),
        ("resnet18", "cifar", r"unknown weights; known: IMAGENET1K_V1, default\."),
        ("vgg16", "IMAGENET1K_FEATURES", r"unknown weights"),
    ],
)
def test_unknown_weights_raise_an_error_with_the_known_names(architecture: str, weights: str, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"model\.weights={weights}: {reason}"):
        pretrained(architecture, weights)


@pytest.mark.parametrize("network", [networks.ResNet, networks.VGG])
def test_an_unknown_depth_has_no_weights(network: type[networks.ResNet]) -> None:
    with pytest.raises(ValueError, match=r"depth=20"):
        network.pretrained("default", depth=20)
