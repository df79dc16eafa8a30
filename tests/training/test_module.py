from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split
from firstlight.randomness import derive, reseed
from firstlight.tasks.build import build_task
from firstlight.training.callbacks import RunCallbacks, StepLimit
from firstlight.training.module import TrainingModule
from firstlight.training.schedulers import RunLength
from firstlight.training.schedulers.schedules import Schedules
from helpers.small import IMAGES, TOKENS, fit, images, same_state, text

GAN = ("model=gan", "model.base_channels=4", "model.latent_dim=3")


class Listener(Callback):
    """Records the loss, the learning rates, the optimizer steps and random numbers after each batch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[list[float]] = []
        self.steps: list[int] = []
        self.random: list[Tensor] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(float(outputs["loss"]))
        self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])
        self.steps.append(trainer.global_step)
        self.random.append(torch.rand(3))
        torch.rand(batch_idx)  # as if other code drew random numbers too


@pytest.mark.parametrize("model", ["linear", "vae", "gan"])
def test_the_state_of_the_module_is_the_state_of_the_task_under_the_same_names(model: str) -> None:
    config = RunConfig.from_overrides(f"model={model}")
    module, other = (TrainingModule(build_task(each, IMAGES), each) for each in (config, replace(config, seed=2)))
    assert list(module.state_dict())
    assert same_state(module.state_dict(), module.task.state_dict())
    assert not same_state(module.state_dict(), other.state_dict())
    other.load_state_dict(module.state_dict())
    assert same_state(other.task.state_dict(), module.task.state_dict())


def test_a_checkpoint_holds_the_config_and_the_spec_as_plain_values() -> None:
    config = RunConfig.from_overrides("model=linear")
    checkpoint: dict[str, Any] = {}
    TrainingModule(build_task(config, IMAGES), config).on_save_checkpoint(checkpoint)
    assert checkpoint == {"config": config.to_plain(), "spec": IMAGES.to_dict()}
    assert RunConfig.parse(checkpoint["config"]) == config


@pytest.mark.parametrize("words", [("model=mlp", "model.dropout=0.5"), ("data=text", "model=gru", "model.dropout=0.3")])
def test_a_validation_within_an_epoch_does_not_change_the_training(words: tuple[str, ...]) -> None:
    is_text = words[0] == "data=text"
    spec, batch = (TOKENS, text(40)) if is_text else (IMAGES, images(40))
    (once, _), (often, _) = (
        fit(spec, batch, *words, *more, batch_size=4, consecutive=is_text)
        for more in ((), ("+trainer.val_check_interval=3",))
    )
    for name in once.task.metric_names:
        assert once.metrics[f"train/{name}"] == often.metrics[f"train/{name}"]
    assert same_state(once.state_dict(), often.state_dict())


def test_training_metrics_are_means_over_all_batches_at_the_time_of_their_steps() -> None:
    listener = Listener()
    module, trainer = fit(IMAGES, images(40), "model=linear", batch_size=10, callbacks=[listener])
    assert trainer.global_step == len(listener.losses) == 4
    assert module.metrics["train/loss"] == pytest.approx(sum(listener.losses) / 4)


def test_the_random_numbers_of_a_step_follow_from_the_step_alone() -> None:
    listener = Listener()
    for _ in range(2):
        fit(IMAGES, images(20), "model=linear", batch_size=10, callbacks=[listener])
    first, second, *again = listener.random
    assert not torch.equal(first, second)
    assert torch.equal(torch.stack([first, second]), torch.stack(again))


def test_a_run_with_several_optimizers_equals_a_loop_of_alternating_steps() -> None:
    listener = Listener()
    words = (*GAN, "scheduler=step", "scheduler.every=1", "scheduler.factor=0.5", "trainer.max_epochs=2")
    module, _ = fit(IMAGES, images(20), *words, batch_size=8, callbacks=[listener])
    assert listener.steps == [1, 2, 3, 4, 5, 6]  # a batch is one step of the run
    assert listener.rates == [[2e-3] * 2] * 2 + [[1e-3] * 2] * 3 + [[5e-4] * 2]  # the rates after each step

    task = build_task(module.config, IMAGES).train()
    optimizers = [module.optimizer.function(part.parameters()) for part in task.optimized_parts()]
    loader = BatchLoader(Split(*images(20)), 8, seed=1)

    def update(part: int, loss: Tensor) -> None:
        optimizers[part].zero_grad()
        loss.backward()
        optimizers[part].step()

    for epoch in range(2):
        loader.set_epoch(epoch)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 2e-3 * 0.5**epoch
        for index, batch in enumerate(loader):
            reseed(derive(1, "step", epoch, index, 0), torch.device("cpu"))
            task.alternating_step(batch, task.new_meter(), update)
    for name, value in task.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("limits", "run_length"),
    [
        ((), RunLength(total_steps=4, steps_per_epoch=2, mode="min")),
        (("trainer.max_steps=3", "monitor=val/accuracy"), RunLength(total_steps=3, steps_per_epoch=2, mode="max")),
        (("+trainer.limit_train_batches=4",), RunLength(total_steps=4, steps_per_epoch=2, mode="min")),
        (("+trainer.limit_train_batches=0.6",), RunLength(total_steps=2, steps_per_epoch=1, mode="min")),
    ],
)
def test_schedulers_get_the_length_of_the_run_in_optimizer_steps(
    limits: tuple[str, ...], run_length: RunLength, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[RunLength] = []
    run_length_of = Schedules._run_length

    def record(*args: Any) -> RunLength:
        found.append(run_length_of(*args))
        return found[-1]

    monkeypatch.setattr(Schedules, "_run_length", record)
    words = ("model=linear", "trainer.max_epochs=2", "trainer.accumulate_grad_batches=3", *limits)
    callbacks = [RunCallbacks([StepLimit(int(run_length.total_steps))], Mock(unfinished_epoch=None))]
    _, trainer = fit(IMAGES, images(50), *words, batch_size=10, callbacks=callbacks)
    assert found == [run_length]
    assert trainer.global_step == run_length.total_steps


def test_the_plateau_scheduler_lowers_the_rate_and_its_state_is_in_the_checkpoint() -> None:
    words = ("model=linear", "scheduler=plateau", "scheduler.patience=0", "scheduler.threshold=0.9")
    module, trainer = fit(IMAGES, images(20), *words, "trainer.max_epochs=3", batch_size=10)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(2e-3 * 0.1**2)
    checkpoint: dict[str, Any] = {}
    module.on_save_checkpoint(checkpoint)
    (state,) = checkpoint["schedules"]["by_epoch"]
    assert state["last_epoch"] == 3

    resumed, trainer = TrainingModule(module.task, module.config), trainer
    resumed.on_load_checkpoint(checkpoint)
    resumed.trainer, resumed.train_loader = trainer, module.train_loader
    resumed.configure_optimizers()
    resumed.on_train_start()
    (scheduler,) = resumed.schedules._by_epoch
    assert scheduler.state_dict() == state


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model=linear", "optimizer={_target_: torch.optim.SGD, nesterov: true}"), "optimizer: Nesterov"),
        (("model=linear", "optimizer={_target_: torch.optim.LBFGS}"), "optimizer: .* and LBFGS repeats it"),
        (("model=linear", "optimizer={_target_: torch.nn.Identity}"), "optimizer: must be a subclass of torch.optim"),
        (
            ("model=linear", "scheduler={_target_: torch.optim.lr_scheduler.StepLR}"),
            "scheduler.step_size: must be set, because StepLR has no default",
        ),
        (("model=linear", "scheduler={_target_: torch.optim.SGD}"), "scheduler._target_=torch.optim.SGD: must be a"),
    ],
)
def test_invalid_optimizers_and_schedulers_raise_an_error_before_the_training(
    words: tuple[str, ...], message: str
) -> None:
    config = RunConfig.from_overrides(*words)
    with pytest.raises(ValueError, match=message):
        TrainingModule(build_task(config, IMAGES), config)


class Steps(Callback):
    """Records the rate and the gradients of each step of an optimizer, of all optimizers in turn."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.gradients: list[Tensor] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(self.record)

    def record(self, optimizer: Any, *_: Any) -> None:
        (group,) = optimizer.param_groups
        self.rates.append(group["lr"])
        self.gradients.append(torch.cat([p.grad.flatten() for p in group["params"] if p.grad is not None]))


@pytest.mark.parametrize("samples", [64, 59, 50])  # 50: the last step has two batches and a part of another
def test_accumulated_batches_give_the_weights_of_one_large_batch(samples: int) -> None:
    words = ("model=mlp", "model.hidden_sizes=[6]", "model.dropout=0", "optimizer=sgd", "trainer.max_epochs=3")
    found = []
    for batch_size, number in ((32, 1), (8, 4)):
        steps, more = Steps(), ("scheduler=onecycle", f"trainer.accumulate_grad_batches={number}")
        module, trainer = fit(IMAGES, images(samples), *words, *more, batch_size=batch_size, callbacks=[steps])
        assert trainer.global_step == len(steps.rates) == 6
        assert steps.rates[-1] == pytest.approx(0.2 * 4e-6)  # the cycle ends with the last step
        found.append(module)
    for (name, one), other in zip(found[0].named_parameters(), found[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=name)


def test_max_steps_counts_a_step_of_all_optimizers_once() -> None:
    listener, steps = Listener(), Steps()
    words = (*GAN, "trainer.max_epochs=-1", "trainer.max_steps=5", "scheduler=onecycle")
    callbacks = [listener, steps, RunCallbacks([StepLimit(5)], Mock(unfinished_epoch=None))]
    fit(IMAGES, images(20), *words, batch_size=8, callbacks=callbacks)
    assert listener.steps == [1, 2, 3, 4, 5]
    assert len(steps.rates) == 2 * 5
    assert steps.rates[-2:] == pytest.approx([2e-3 * 4e-6] * 2)


@pytest.mark.parametrize("algorithm", ["null", "norm", "value"])
@pytest.mark.parametrize("model", [("model=linear",), GAN])
def test_the_gradients_of_each_optimizer_are_clipped(model: tuple[str, ...], algorithm: str) -> None:
    steps = Steps()
    words = ("trainer.gradient_clip_val=1e-3", f"trainer.gradient_clip_algorithm={algorithm}", *model)
    fit(IMAGES, images(40), *words, batch_size=8, callbacks=[steps])
    largest = [float(each.abs().max() if algorithm == "value" else each.norm()) for each in steps.gradients]
    assert len(largest) == (10 if model is GAN else 5)
    assert largest == pytest.approx([1e-3] * len(largest), rel=1e-2)
