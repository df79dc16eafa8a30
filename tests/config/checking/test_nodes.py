"""Options of classes of torch, torchvision and users: their signatures are checked, and names of ours are free."""

from pathlib import Path
from typing import Any

import pytest

from firstlight.config.checking.config import check
from firstlight.config.compose import compose, to_plain

OWN = """
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler


class Descent(SGD):
    def __init__(self, weights, *, params: int, network: str = "a", lr: float = 0.1) -> None:
        super().__init__(weights, lr=lr)


class Rate(LRScheduler):
    def __init__(self, optimizer: Optimizer, *, plan: int, run_length: int = 3, interval: float = 0.5) -> None: ...


def rate(weights, length, *, optimizer: float = 0.5): ...


class Shifted(nn.Module):
    def __init__(self, optimizer: int = 1, params: int = 2, spec: int = 3) -> None: ...
"""


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


def checked(group: str, target: str, **options: Any) -> None:
    config = to_plain(compose("model=linear"))
    del config["resume"], config["trust"], config["sweep"]
    node = {"_target_": target} | options
    check(config | ({"augment": config["augment"] | {"own": node}} if group == "augment" else {group: node}))


@pytest.mark.parametrize(
    ("group", "target", "options"),
    [
        ("optimizer", "own_parts.Descent", {"params": 3, "network": "b", "lr": 1}),
        ("scheduler", "own_parts.Rate", {"plan": 3, "run_length": 4, "interval": 0.1}),
        ("scheduler", "own_parts.rate", {"optimizer": 0.5}),
        ("augment", "own_parts.Shifted", {"optimizer": 1, "params": 2, "spec": 3}),
        ("scheduler", "torch.optim.lr_scheduler.StepLR", {"step_size": 3, "interval": "step"}),
        ("augment", "torchvision.transforms.v2.ColorJitter", {"brightness": 0.3}),
        ("augment", "torchvision.transforms.v2.Compose", {"transforms": [{"_target_": "torch.nn.Identity"}]}),
    ],
)
def test_an_option_of_any_name_is_free_unless_the_code_passes_it(
    group: str, target: str, options: dict[str, Any]
) -> None:
    checked(group, target, **options)


@pytest.mark.parametrize(
    ("group", "target", "options", "message"),
    [
        ("optimizer", "own_parts.Descent", {"weights": 1}, "optimizer.weights: unknown option of Descent"),
        ("scheduler", "own_parts.rate", {"length": 1}, "scheduler.length: unknown option of rate"),
        (
            "scheduler",
            "torch.optim.lr_scheduler.StepLR",
            {"step_sise": 1},
            "scheduler.step_sise: unknown option of StepLR, did you mean 'scheduler.step_size'?",
        ),
        (
            "scheduler",
            "torch.optim.lr_scheduler.StepLR",
            {"step_size": 1, "interval": "batch"},
            "scheduler.interval=batch: must be epoch or step (StepLR).",
        ),
        (
            "scheduler",
            "firstlight.training.schedulers.cosine",
            {"interval": "step"},
            "scheduler.interval: unknown option of cosine",
        ),
        (
            "scheduler",
            "torch.optim.lr_scheduler.LambdaLR",
            {"lr_lambda": "lambda epoch: 1"},
            "scheduler.lr_lambda=lambda epoch: 1: must be a function, as {_target_: module.name, _partial_: true}",
        ),
        (
            "augment",
            "torchvision.transforms.v2.ColorJitter",
            {"brightnes": 1},
            "augment.own.brightnes: unknown option of ColorJitter, did you mean 'augment.own.brightness'?",
        ),
        ("augment", "torchvision.transforms.v2.ColourJitter", {}, "augment.own._target_=torchvision.transforms.v2.Col"),
    ],
)
def test_a_mistake_is_named(group: str, target: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        checked(group, target, **options)
    assert str(caught.value).startswith(message)
