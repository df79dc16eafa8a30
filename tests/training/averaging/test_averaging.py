"""The weights that are validated, tested, saved and exported are the averaged ones, with statistics that fit them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn

from firstlight.config import CONFIG_DIR
from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.training.averaging import EMA
from firstlight.training.module import TrainingModule
from firstlight.training.run import resume, train
from helpers.runs import TINY, history, weights
from helpers.small import IMAGES, fit, images

AVERAGES = sorted(path.stem for path in (CONFIG_DIR / "averaging").glob("*.yaml") if path.stem != "none")
SMALL_CNN = ("model=cnn", "model.filters=[3]", "model.hidden_sizes=[4]")
WORDS = {"ema": (), "swa": ("averaging.start=0.4",), "lookahead": ("averaging.every=3",)}


class Observer(Callback):
    """Keeps the weights before the training, those of each step that `Fast` adds, and those of each validation."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.steps.append(flat(pl_module))

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.validated.append({name: value.clone() for name, value in pl_module.state_dict().items()})


class Fast(Callback):
    """Keeps the weights after each optimizer step, before any other callback changes them."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps.append(flat(pl_module))


def flat(module: nn.Module) -> Any:
    return torch.cat([each.detach().double().flatten() for each in module.parameters()]).numpy().copy()


def ema(steps: list[Any]) -> Any:
    average = steps[1]
    for number, weights_now in enumerate(steps[2:], 2):
        kept = min(0.999, number / (9 + number))
        average = kept * average + (1 - kept) * weights_now
    return average


def swa(steps: list[Any]) -> Any:
    return np.mean([steps[number] for number in (5, 10)], axis=0)  # the ends of the epochs after 0.4 * 10 steps


def lookahead(steps: list[Any]) -> Any:
    slow = steps[0]
    for number in (3, 6, 9):
        slow = slow + 0.5 * (steps[number] - slow)
    return slow


RULES = {"ema": ema, "swa": swa, "lookahead": lookahead}


def run(name: str, *words: str) -> tuple[TrainingModule, Any, Observer]:
    observer = Observer()
    fast = Fast(observer.steps)
    common = ("trainer.max_epochs=2", "scheduler=constant", "optimizer=adam", f"averaging={name}", *WORDS[name])
    module, trainer = fit(IMAGES, images(40), *common, *words, batch_size=8, callbacks=[observer, fast])
    return module, trainer, observer


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_follows_its_published_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new YAML file needs its rule in `RULES`."""
    observe_before_averaging(monkeypatch)
    module, _, observer = run(name, "model=mlp", "model.hidden_sizes=[4]")
    assert len(observer.steps) == 11
    np.testing.assert_allclose(flat(module), RULES[name](observer.steps), rtol=0, atol=1e-6)
    assert not np.allclose(flat(module), observer.steps[-1], atol=1e-4)
    for key, value in observer.validated[-1].items():
        assert torch.equal(value, module.state_dict()[key]), key


def observe_before_averaging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Fast` and `Observer` come before the average in the callbacks of a Trainer."""
    from lightning.pytorch import Trainer

    started = Trainer.fit

    def fit_with_observers_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.callbacks.sort(key=lambda callback: not isinstance(callback, Fast | Observer))
        return started(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "fit", fit_with_observers_first)


@pytest.mark.parametrize("name", ["swa", "lookahead"])
def test_the_statistics_of_batch_normalisation_are_those_of_the_training_data_under_the_average(name: str) -> None:
    module, _, _ = run(name, *SMALL_CNN, "model.dropout=0")
    task = module.task.eval()
    layer = next(each for each in task.network.modules() if isinstance(each, nn.BatchNorm2d))
    inputs: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0].detach()))
    assert module.train_loader is not None
    module.train_loader.set_epoch(0)
    for batch in module.train_loader:
        task.batch_loss(batch, task.new_meter())
    means = torch.stack([each.mean((0, 2, 3)) for each in inputs]).mean(0)
    variances = torch.stack([each.var((0, 2, 3)) for each in inputs]).mean(0)
    assert len(inputs) == 5
    assert layer.running_mean is not None
    assert layer.running_var is not None
    torch.testing.assert_close(layer.running_mean, means, rtol=0, atol=1e-6)
    torch.testing.assert_close(layer.running_var, variances, rtol=0, atol=1e-5)
    assert layer.momentum == 0.1


def test_ema_averages_the_statistics_as_the_weights() -> None:
    update = EMA(decay=0.9)._kwargs["multi_avg_fn"]
    average, counts = torch.tensor([1.0, 2.0]), torch.tensor(3)
    update([average], [torch.tensor([2.0, 0.0])], torch.tensor(200))
    update([counts], [torch.tensor(7)], torch.tensor(200))
    torch.testing.assert_close(average, torch.tensor([1.1, 1.8]))
    assert int(counts) == 7
    assert EMA()._use_buffers


@pytest.mark.parametrize("name", AVERAGES)
def test_the_best_checkpoint_holds_the_average_that_was_validated_and_is_tested(name: str, tmp_path: Path) -> None:
    words = (*TINY, f"averaging={name}", *WORDS[name], "scheduler=constant", "+trainer.limit_train_batches=10")
    metrics = train(compose(*words), run_dir=tmp_path / "run")
    saved = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    parameter = next(iter(saved["state_dict"]))
    assert saved["state_dict"].keys() == saved["current_model_state"].keys()
    assert not torch.equal(saved["state_dict"][parameter], saved["current_model_state"][parameter])
    for split in ("val", "test"):
        found = evaluate(str(tmp_path / "run"), split=split, accelerator="cpu")
        assert found[f"{split}/loss"] == pytest.approx(metrics[f"{split}/loss"], rel=1e-6)
    task = load_task(str(tmp_path / "run"), "best", torch.device("cpu"))  # what predict and export load
    assert torch.equal(task.state_dict()[parameter], saved["state_dict"][parameter])


@pytest.mark.parametrize("name", AVERAGES)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(name: str, tmp_path: Path) -> None:
    words = [*SMALL_CNN, "trainer.accelerator=cpu", f"averaging={name}", *WORDS[name]]
    config = compose(*words, "trainer.max_epochs=4", "+trainer.limit_train_batches=7")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(config, run_dir=whole)
    for step, start in ((9, lambda: train(config, run_dir=stopped)), (14, lambda: resume(stopped))):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, step)  # within an epoch, and at the end of one
            with pytest.raises(KeyboardInterrupt):
                start()
    resume(stopped)
    assert history(whole) == history(stopped)
    for checkpoint in ("best", "last"):
        one, other = weights(whole, checkpoint), weights(stopped, checkpoint)
        assert all(torch.equal(one[key], other[key]) for key in one)


def stop_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let a signal arrive in an optimizer step."""
    from firstlight.training.callbacks import StopOnSignal

    original = StopOnSignal.on_step_end

    def on_step_end(self: Any, trainer: Any, *args: Any) -> None:
        if trainer.global_step == step:
            self.signals.number = 2
        original(self, trainer, *args)

    patch.setattr(StopOnSignal, "on_step_end", on_step_end)


def test_before_its_start_swa_evaluates_the_current_weights() -> None:
    module, _, observer = run("swa", "model=linear", "averaging.start=0.99", "averaging.every=100")
    np.testing.assert_array_equal(flat(module), observer.steps[-1])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("averaging=ema", "averaging.decay=1"), r"averaging\.decay=1: must be at least 0 and below 1"),
        (("averaging=swa", "averaging.start=1"), r"averaging\.start=1: must be at least 0 and below 1"),
        (("averaging=swa", "averaging.every=0"), r"averaging\.every=0: must be at least 1"),
        (("averaging=lookahead", "averaging.rate=0"), r"averaging\.rate=0: must be above 0"),
        (("averaging=swa", "trainer.max_epochs=-1", "scheduler=constant"), "averaging=swa: must be used with trainer"),
        (("averaging=ema", "model=gan", "model.base_channels=4"), "averaging=EMA: must be none with task=adversarial"),
        (("averaging=ema", "+averaging.decai=1"), r"averaging\.decai: unknown option of EMA, did you mean"),
    ],
)
def test_a_wrong_option_raises_an_error(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(IMAGES, images(20), "model=linear", *words, batch_size=10)
