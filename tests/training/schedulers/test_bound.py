"""Classes of torch as schedulers: their rates are those of torch used by hand, step by step, and after a resume too."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler

from firstlight.config import RunConfig
from firstlight.config.compose import compose, to_plain
from firstlight.training.module import TrainingModule
from firstlight.training.run import resume, train
from firstlight.training.schedulers import BoundScheduler, RunLength
from helpers.probe import Rates
from helpers.runs import history, same_weights
from helpers.small import IMAGES, fit, images

LR = 0.1
TORCH = "torch.optim.lr_scheduler."
LENGTH = RunLength(total_steps=12, steps_per_epoch=3, mode="max")  # of four epochs
GAN = ("model=gan", "model.base_channels=4", "model.latent_dim=3")


def sgd(lr: float = LR) -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def node(name: str, **options: Any) -> dict[str, Any]:
    return {"_target_": f"{TORCH}{name}", **options}


def by_hand(make: Callable[[Optimizer], Any], per_step: bool, epochs: int = 4, steps: int = 3) -> list[float]:
    """Return the rate of each step of a loop as in torch's documentation."""
    optimizer, found = sgd(), []
    scheduler = make(optimizer)
    for _ in range(epochs):
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if per_step:
                scheduler.step()
        if not per_step:
            scheduler.step()
    return found


CLASSES: dict[str, tuple[dict[str, Any], Callable[[Optimizer], Any], bool]] = {
    "step": (node("StepLR", step_size=2), lambda o: lr_scheduler.StepLR(o, 2), False),
    "one cycle": (node("OneCycleLR"), lambda o: lr_scheduler.OneCycleLR(o, LR, total_steps=12), True),
    "one cycle of epochs": (
        node("OneCycleLR", epochs=5, max_lr=1.0),
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, epochs=5, steps_per_epoch=3),
        True,
    ),
    "one cycle by epoch": (
        node("OneCycleLR", interval="epoch"),
        lambda o: lr_scheduler.OneCycleLR(o, LR, total_steps=4),
        False,
    ),
    "cosine": (node("CosineAnnealingLR"), lambda o: lr_scheduler.CosineAnnealingLR(o, 4), False),
    "cosine by step": (
        node("CosineAnnealingLR", interval="step", eta_min=0.01),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 12, eta_min=0.01),
        True,
    ),
    "restarts": (
        node("CosineAnnealingWarmRestarts", T_0=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
        False,
    ),
    "cyclic": (node("CyclicLR", base_lr=0.01, step_size_up=2), lambda o: lr_scheduler.CyclicLR(o, 0.01, LR, 2), True),
    "exponential": (node("ExponentialLR", gamma=0.5), lambda o: lr_scheduler.ExponentialLR(o, 0.5), False),
    "milestones": (
        node("MultiStepLR", milestones=[1, 3]),
        lambda o: lr_scheduler.MultiStepLR(o, [1, 3]),
        False,
    ),
    "polynomial": (node("PolynomialLR", total_iters=4), lambda o: lr_scheduler.PolynomialLR(o, 4), False),
    "function": (
        node("LambdaLR", lr_lambda={"_target_": "math.exp", "_partial_": True}),
        lambda o: lr_scheduler.LambdaLR(o, math.exp),
        False,
    ),
    "sequence": (
        node(
            "SequentialLR",
            schedulers=[node("LinearLR", total_iters=2), node("ExponentialLR", gamma=0.5)],
            milestones=[2],
        ),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.5)], [2]
        ),
        False,
    ),
    "chain": (
        node("ChainedScheduler", schedulers=[node("ConstantLR", total_iters=2), node("StepLR", step_size=1)]),
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.StepLR(o, 1)]),
        False,
    ),
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_rates_of_a_class_of_torch_are_those_of_torch_by_hand(name: str) -> None:
    own, make, per_step = CLASSES[name]
    bound = BoundScheduler(own)
    optimizer = sgd()
    bound.rehearse(sgd())
    scheduler, found = bound(optimizer, LENGTH), []
    assert bound.counts_epochs(scheduler) == (not per_step)
    for step in range(12):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if per_step or step % 3 == 2:
            scheduler.step()
    assert found == by_hand(make, per_step)


def test_plateau_takes_the_direction_of_the_monitor() -> None:
    options = node("ReduceLROnPlateau", patience=3)
    scheduler: Any = BoundScheduler(options)(sgd(), LENGTH)
    assert (scheduler.mode, scheduler.patience) == ("max", 3)
    assert BoundScheduler(options | {"mode": "min"})(sgd(), LENGTH).mode == "min"  # type: ignore[attr-defined]


class Halving(lr_scheduler.LRScheduler):
    """A scheduler of the user, whose options have the names of ours."""

    def __init__(self, optimizer: Optimizer, plan: int, params: float, total_steps: int | None = None) -> None:
        self.plan, self.params, self.total_steps = plan, params, total_steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        return [rate * self.params ** (self.last_epoch // self.plan) for rate in self.base_lrs]


def half(weights: Any, run_length: RunLength, optimizer: float = 0.5) -> lr_scheduler.LRScheduler:
    """A function of the user, whose option has the name of an argument of ours."""
    return lr_scheduler.LambdaLR(weights, lambda step: optimizer ** (step // run_length.steps_per_epoch))


def test_schedulers_of_the_user_have_options_of_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    own = {"_target_": "test_bound.Halving", "plan": 1, "params": 0.5, "interval": "epoch"}
    function = {"_target_": "test_bound.half", "optimizer": 0.25}
    for scheduler in (own, function):
        RunConfig.parse(to_plain(compose("model=linear")) | {"scheduler": scheduler})
    built: Any = BoundScheduler(own)(sgd(), LENGTH)
    assert built.total_steps == 4
    assert BoundScheduler(function).interval == "step"


WORDS = ("model=linear", "optimizer=sgd", "optimizer.lr=0.1", "trainer.max_epochs=4")


@pytest.mark.parametrize("name", ["step", "one cycle", "cosine", "sequence"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_steps_its_scheduler_as_torch_documents_with_gradient_accumulation_too(
    name: str, accumulate: int
) -> None:
    own, make, per_step = CLASSES[name]
    words = (*WORDS, f"scheduler={own}".replace("'", ""), f"trainer.accumulate_grad_batches={accumulate}")
    rates = Rates()
    fit(IMAGES, images(30 * accumulate), *words, batch_size=10, callbacks=[rates])
    assert rates.found[::accumulate] == by_hand(make, per_step)


def test_both_optimizers_of_a_gan_have_a_scheduler() -> None:
    words = (*GAN, f"scheduler={{_target_: {TORCH}StepLR, step_size: 1}}", "trainer.max_epochs=3")
    _, trainer = fit(IMAGES, images(20), *words, batch_size=10)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == pytest.approx([2e-6] * 2)


@pytest.mark.parametrize("name", ["step", "one cycle", "sequence"])
def test_a_resumed_run_has_the_rates_of_the_whole_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, *_ = CLASSES[name]
    words = (*WORDS, f"scheduler={own}".replace("'", ""), "data.batch_size=500", "trainer.accelerator=cpu")
    train(compose(*words), run_dir=tmp_path / "whole")
    end = TrainingModule.on_train_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "on_train_epoch_end", lambda self: interrupted_after(self, end, epoch=2))
        with pytest.raises(KeyboardInterrupt):
            train(compose(*words), run_dir=tmp_path / "stopped")
    resume(tmp_path / "stopped")
    assert history(tmp_path / "stopped") == history(tmp_path / "whole")
    assert same_weights(tmp_path / "stopped", tmp_path / "whole", "last")


def interrupted_after(module: TrainingModule, end: Callable[[TrainingModule], None], epoch: int) -> None:
    if module.current_epoch == epoch:
        raise KeyboardInterrupt
    end(module)


def test_a_prolonged_run_goes_on_at_the_place_of_the_new_length(tmp_path: Path) -> None:
    words = ("data.batch_size=500", "trainer.accelerator=cpu", f"scheduler={{_target_: {TORCH}CosineAnnealingLR}}")
    run_dir = tmp_path / "run"
    train(compose("model=linear", "optimizer.lr=0.1", "trainer.max_epochs=2", *words), run_dir=run_dir)
    resume(run_dir, max_epochs=4)
    rates = [float(row["lr"]) for row in history(run_dir)]
    assert rates == pytest.approx([0.1, 0.05, 0.05, 0.1 * (1 + math.cos(0.75 * math.pi)) / 2])


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (node("OneCycleLR", total_steps=5), "scheduler.total_steps=5: must be at least 12, the steps of the run"),
        (node("StepLR"), "scheduler.step_size: must be set, because StepLR has no default"),
        (node("LambdaLR"), "scheduler.lr_lambda: must be set, because LambdaLR has no default"),
        (node("CosineAnnealingLR", interval="batch"), "scheduler.interval=batch: unknown interval"),
        (node("ReduceLROnPlateau", interval="step"), "scheduler.interval=step: must be epoch"),
        ({"_target_": "torch.optim.SGD"}, "scheduler._target_=torch.optim.SGD: must be a subclass"),
        (
            node("ChainedScheduler", schedulers=[node("OneCycleLR"), node("StepLR", step_size=1)]),
            "scheduler.interval: must be set to epoch or step",
        ),
        (
            node(
                "ChainedScheduler", interval="epoch", schedulers=[{"_target_": "firstlight.training.schedulers.cosine"}]
            ),
            "scheduler.schedulers.0: must be a class, because functions count steps",
        ),
    ],
)
def test_a_wrong_option_raises_an_error_that_names_it(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        BoundScheduler(own)(sgd(), LENGTH)


def test_a_class_that_needs_the_end_raises_an_error_in_an_unlimited_run() -> None:
    with pytest.raises(ValueError, match=r"^scheduler=CosineAnnealingLR: must be used with trainer\.max_epochs"):
        BoundScheduler(node("CosineAnnealingLR"))(sgd(), RunLength(math.inf, 3, "min"))


class Opaque(lr_scheduler.LRScheduler):
    """A scheduler whose state is no plain value."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.path = Path("a")
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        return self.base_lrs


def test_a_state_that_checkpoints_cannot_hold_is_refused_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(ValueError, match=r"^scheduler: its state_dict must hold tensors"):
        BoundScheduler({"_target_": "test_bound.Opaque"}).rehearse(sgd())
