from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.config.options import Transfer
from firstlight.runs.load import load_task
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from firstlight.transfer.freezing import Freezing, stages
from helpers.samples import image_spec

SPEC = image_spec(3, 64, 64)
SMALL = ("data=digits", "model=cnn", "model.filters=[4,6,8]", "trainer.accelerator=cpu")


def task(*overrides: str, spec: DataSpec = SPEC) -> Task:
    return build_task(RunConfig.from_overrides(*overrides), spec)


def network(name: str) -> nn.Module:
    return task(f"model={name}", "model.weights=null").network


def state(run: Path, checkpoint: str = "last") -> dict[str, Tensor]:
    return load_task(run, checkpoint).network.state_dict()


@pytest.mark.parametrize(
    ("name", "first", "number"),
    [
        ("resnet18", ["conv1.weight", "bn1.weight"], 6),
        ("mobilenet", ["features.0.0.weight", "features.0.1.weight"], 20),
        ("vgg11", ["features.0.weight", "features.1.weight"], 9),
        ("efficientnet_lite0", ["conv_stem.weight", "bn1.weight"], 10),
        ("lenet", None, 5),
    ],
)
def test_stages_hold_all_parameters_from_the_input_to_the_head(name: str, first: list[str] | None, number: int) -> None:
    built = network(name)
    parts = stages(built)
    names = {id(parameter): key for key, parameter in built.named_parameters()}
    found = [[names[id(p)] for module in stage for p in module.parameters()] for stage in parts]
    assert len(found) == number
    assert sorted(key for stage in found for key in stage) == sorted(names.values())
    if first is not None:
        assert [key for key in found[0] if key.endswith("weight")] == first
    assert all(key.endswith(("weight", "bias")) and len(found[-1]) == 2 for key in found[-1])


def test_stages_are_unfrozen_from_the_last_to_the_first() -> None:
    freezing = Freezing(network("resnet18"), Transfer(freeze="backbone", unfreeze_at_epoch=3, unfreeze_every=2))
    assert [freezing.num_frozen(epoch) for epoch in range(12)] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    at_once = Freezing(network("resnet18"), Transfer(freeze="backbone", unfreeze_at_epoch=3))
    assert [at_once.num_frozen(epoch) for epoch in range(4)] == [5, 5, 0, 0]
    assert Freezing(network("resnet18"), Transfer(freeze="backbone")).num_frozen(1000) == 5
    assert Freezing(network("resnet18"), Transfer()).num_frozen(0) == 0


def test_frozen_parts_have_no_gradients_and_stay_in_evaluation_mode() -> None:
    built = task("model=resnet18", "model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.unfreeze_every=1")
    for epoch, learning in enumerate((["fc"], ["layer4", "fc"], ["layer3", "layer4", "fc"])):
        built.freezing.begin_epoch(epoch)
        built.eval()
        built.train()
        for name, parameter in built.network.named_parameters():
            assert parameter.requires_grad == name.startswith(tuple(learning)), (epoch, name)
        for name, module in built.network.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.training == name.startswith(tuple(learning)), (epoch, name)


@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        ((), False),
        (("model.keep_statistics=true",), True),
        (("model.weights=WEIGHTS",), True),
        (("model.weights=WEIGHTS", "model.keep_statistics=false"), False),
    ],
)
def test_batch_normalisation_keeps_the_statistics_of_pretrained_weights(
    overrides: tuple[str, ...], kept: bool, tmp_path: Path
) -> None:
    torch.save(network("resnet18").state_dict(), tmp_path / "weights.pth")
    built = task(
        "model=resnet18",
        "model.stem=small",
        *(override.replace("WEIGHTS", str(tmp_path / "weights.pth")) for override in overrides),
    )
    layers = [layer for layer in built.network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(layer.training != kept for layer in layers)
    built.eval()
    built.train()
    assert built.network.training
    assert all(layer.training != kept for layer in layers)
    assert all(layer.weight.requires_grad for layer in layers)


def test_lr_decay_lowers_the_learning_rate_from_stage_to_stage() -> None:
    built = task("model=resnet18", "model.lr_decay=0.5", "optimizer.lr=0.8")
    groups: Any = built.freezing.parameters(0.8)
    assert [group["lr"] for group in groups] == pytest.approx([0.025, 0.05, 0.1, 0.2, 0.4, 0.8])
    assert sum(len(group["params"]) for group in groups) == len(list(built.network.parameters()))
    assert groups[-1]["params"] == list(built.network.fc.parameters())


@pytest.mark.parametrize("unfreeze", [None, 3])
def test_frozen_parameters_and_statistics_do_not_change(unfreeze: int | None, tmp_path: Path) -> None:
    # With augmentation, samples pass through the backbone. Weight decay would change frozen weights too.
    overrides: tuple[str, ...] = (*SMALL, "model.freeze=backbone", "augment=light", "optimizer.weight_decay=0.5")
    overrides += () if unfreeze is None else (f"model.unfreeze_at_epoch={unfreeze}",)
    initial = task(*overrides, spec=DataSpec((1, 8, 8), 10, tuple("0123456789"), (0.3,), (0.4,))).network.state_dict()
    train(compose(*overrides, "trainer.max_epochs=2"), run_dir=tmp_path / "two")
    frozen = state(tmp_path / "two")
    head = {"head.output.weight", "head.output.bias"} & initial.keys() or set(list(initial)[-2:])
    assert all(torch.equal(initial[name], frozen[name]) for name in initial if name not in head)
    assert not any(torch.equal(initial[name], frozen[name]) for name in head)
    if unfreeze is not None:
        train(compose(*overrides, "trainer.max_epochs=3"), run_dir=tmp_path / "three")
        unfrozen = state(tmp_path / "three")
        assert not any(torch.equal(initial[name], unfrozen[name]) for name in initial)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=autoencoder", "model.freeze=backbone"), "task=reconstruction"),
        (("model=gan", "model.lr_decay=0.5"), "task=adversarial"),
        (("model=cnn", "augment=light", "augment.views=2"), "augment.views=2: .*model.freeze=backbone"),
        (("model=cnn", "augment.views=2", "model.freeze=backbone"), "augment.views=2: "),
        (
            ("model=cnn", "augment.views=2", "model.freeze=backbone", "+augment.mixup.alpha=0.2"),
            "mix",
        ),
        (
            ("model=conv_filters", "model.head=mlp", "model.freeze=heads"),
            "model.freeze=heads: unknown part of the network; known: backbone.",
        ),
        (("model=cnn", "model.head=tail"), "model.head=tail: unknown head; known: linear, mlp, spatial."),
    ],
)
def test_options_that_do_not_fit_together_raise_an_error(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task(*overrides)
