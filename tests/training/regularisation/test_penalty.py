import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.options import Regularisation
from firstlight.networks import MLP
from firstlight.training.regularisation import Weights, penalty
from helpers.small import IMAGES, NUMBERS, TOKENS, fit, images, same_state, text

SGD = ("optimizer=sgd", "optimizer.lr=0.1", "scheduler=constant", "logger=none")
MLP_WORDS = ("model=mlp", "model.hidden_sizes=[6]", "model.dropout=0")


def numbers(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(number, 2, generator=random)
    return inputs, inputs.sum(1, keepdim=True) + 10


def test_the_penalty_is_the_sum_of_absolute_and_of_squared_weights() -> None:
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0], [0.5]])]
    options = Regularisation(l1=0.5, l2=0.1)
    assert penalty(weights, options).item() == pytest.approx(0.5 * 6.5 + 0.1 * 14.25)
    assert penalty(weights, replace(options, l1=None)).item() == pytest.approx(0.1 * 14.25)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_l2_is_the_weight_decay_of_gradient_descent(accumulate: int) -> None:
    """The penalty counts once in a step, also if the step has several batches and the last one is smaller."""
    words = (*SGD, *MLP_WORDS, "trainer.max_epochs=3", f"trainer.accumulate_grad_batches={accumulate}")
    decay = ("optimizer.weight_decay=0.2", "optimizer.decay_biases_and_norms=false")
    penalised, _ = fit(IMAGES, images(21), *words, "optimizer.weight_decay=0", "task.l2=0.1", batch_size=4)
    decayed, _ = fit(IMAGES, images(21), *words, *decay, batch_size=4)
    free, _ = fit(IMAGES, images(21), *words, "optimizer.weight_decay=0", batch_size=4)
    for name, value in penalised.task.state_dict().items():
        torch.testing.assert_close(value, decayed.task.state_dict()[name], rtol=1e-5, atol=1e-6)
    assert not same_state(penalised.task.state_dict(), free.task.state_dict())


@pytest.mark.parametrize(
    ("spec", "batch", "words"),
    [
        (IMAGES, images(12), ("model=mlp",)),
        (IMAGES, images(12), ("model=autoencoder", "task=reconstruction")),
        (TOKENS, text(12), ("model=lstm", "task=language")),
        (NUMBERS, numbers(12), ("model=linear", "task=regression")),
        (IMAGES, images(12), ("model=gan", "task=adversarial")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and isinstance(value[0], str) else "",
)
def test_every_task_takes_penalties_and_reports_its_loss_without_them(spec: Any, batch: Any, words: Any) -> None:
    """The first batch has the same weights with and without, so its loss is the same."""
    rest: dict[str, Any] = {"batch_size": 12, "consecutive": spec is TOKENS}
    plain, _ = fit(spec, batch, *SGD, *words, **rest)
    heavy, _ = fit(spec, batch, *SGD, *words, "task.l1=0.01", "task.l2=0.01", **rest)
    name = "train/discriminator_loss" if words[0] == "model=gan" else "train/loss"  # before the first step
    assert heavy.metrics[name] == pytest.approx(plain.metrics[name], rel=1e-6)

    def size(module: Any) -> float:
        return sum(float(each.detach().abs().sum()) for each in Weights(module.task.network).of(module.task.network))

    assert size(heavy) < size(plain)
    assert math.isfinite(heavy.metrics["val/loss"])


def test_both_parts_of_a_gan_have_the_penalty_of_their_own_weights() -> None:
    words = (*SGD, "optimizer.lr=1e-3", "model=gan", "model.base_channels=4", "logger=none")
    plain, _ = fit(IMAGES, images(8), *words, batch_size=8)
    both, _ = fit(IMAGES, images(8), *words, "task.l2=10", batch_size=8)
    for part in ("generator", "discriminator"):
        sizes = [
            sum(float(w.detach().square().sum()) for w in Weights(m.task.network).of(getattr(m.task.network, part)))
            for m in (plain, both)
        ]
        assert sizes[1] == pytest.approx((1 - 1e-3 * 20) ** 2 * sizes[0], rel=1e-2), part


def test_frozen_weights_have_no_penalty() -> None:
    network = MLP(IMAGES, hidden_sizes=(4,))
    network.hidden.requires_grad_(False)
    assert [id(each) for each in Weights(network).of(network)] == [id(network.output.weight)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.l1=-0.1"], r"task\.l1=-0\.1: must be at least 0 and finite"),
        (["task.l2=nan"], r"task\.l2=nan: must be at least 0 and finite"),
        (["task.l2=much"], r"task\.l2=much: must be a number or null"),
        (["task.max_norm=0"], r"task\.max_norm=0: must be above 0 and finite"),
        (["task.penalised=[hidden]"], r"task\.penalised=\['hidden'\]: must be null without task\.l1"),
        (["task.l1=1", "task.penalised=hidden"], r"task\.penalised=hidden: must be a list of texts or null"),
    ],
)
def test_an_invalid_option_is_refused_before_the_run(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_overrides(*words)


def test_the_options_survive_the_config_file_of_a_run_and_older_files_lack_them() -> None:
    config = RunConfig.from_overrides("task.l1=0.1", "task.penalised=[output]", "watch.gap=10", "patience=2")
    assert RunConfig.parse(config.to_plain()) == config
    plain = RunConfig.from_overrides().to_plain()
    task = {key: value for key, value in plain["task"].items() if key not in vars(config.regularisation)}
    older = {key: value for key, value in plain.items() if key not in ("watch", "min_delta")} | {"task": task}
    assert RunConfig.parse(older) == RunConfig.from_overrides()
