import copy
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from firstlight.config import RunConfig
from firstlight.networks import GAN, Linear
from firstlight.networks.flops import flops_per_sample
from firstlight.randomness import derive, reseed
from firstlight.tasks import Adversarial
from firstlight.tasks.build import build_task, build_trainer
from firstlight.tasks.distance import sliced_wasserstein
from helpers.small import IMAGES, augment, fit, images

SMALL = ("model=gan", "model.base_channels=4", "model.latent_dim=3")


def adversarial(**options: Any) -> Adversarial:
    torch.manual_seed(0)
    return Adversarial(IMAGES, GAN(IMAGES, latent_dim=3, base_channels=4), augment(IMAGES), **options).eval()


class Witness(Callback):
    """Keeps the network before each step, and the task after it."""

    def __init__(self) -> None:
        self.before: list[Any] = []
        self.batches: list[Any] = []
        self.after: list[Any] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.global_steps: list[int] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.before.append(copy.deepcopy(pl_module.network))
        self.batches.append(batch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.global_steps.append(trainer.global_step)
        self.after.append(copy.deepcopy(pl_module.network))
        found = {name: value.grad.clone() for name, value in pl_module.network.named_parameters()}
        self.gradients.append(found)


def trained(*words: str) -> tuple[Any, Witness]:
    witness = Witness()
    task, _ = fit(IMAGES, images(22), *SMALL, "scheduler=constant", *words, batch_size=8, callbacks=[witness])
    return task, witness


def losses(kind: str, network: GAN, real: Tensor, fakes: Tensor) -> tuple[Tensor, Tensor]:
    """Of the generator and of the discriminator, by the book."""
    of_real, of_fakes = network.discriminate(real), network.discriminate(fakes)
    if kind == "hinge":
        return -of_fakes.mean(), (1 - of_real).clamp(min=0).mean() + (1 + of_fakes).clamp(min=0).mean()
    cross_entropy = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
    return cross_entropy(of_fakes, ones), cross_entropy(of_real, ones) + cross_entropy(of_fakes, zeros)


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
def test_each_network_steps_down_its_own_loss_and_leaves_the_other_alone(kind: str) -> None:
    _, witness = trained(f"task.loss={kind}")
    for step, (before, after, (raw, _)) in enumerate(zip(witness.before, witness.after, witness.batches, strict=True)):
        reseed(derive(1, "step", 0, step, 0), torch.device("cpu"))
        real = raw / 127.5 - 1
        fakes = before.generate(torch.randn(len(raw), 3))
        _, discriminator_loss = losses(kind, before, real, fakes.detach())
        discriminator_loss.backward()
        generator_loss, _ = losses(kind, after, real, fakes)  # the discriminator has moved by then
        generator_loss.backward()
        expected = {name: value.grad for name, value in before.named_parameters()}
        for name, gradient in witness.gradients[step].items():
            torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-3)
            assert not torch.equal(after.state_dict()[name], before.state_dict()[name]), name


def test_a_batch_is_one_step_of_the_run() -> None:
    _, witness = trained()
    assert witness.global_steps == [1, 2, 3]


def test_images_come_of_an_average_of_the_generators() -> None:
    task, witness = trained("task.ema=0.9")
    for name, value in task.average.state_dict().items():
        expected = witness.before[0].generator.state_dict()[name]
        for network in witness.after:
            new = network.generator.state_dict()[name]
            expected = 0.9 * expected + 0.1 * new if value.is_floating_point() else new
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in task.average.parameters())
    latents = torch.randn(2, 3)
    assert not torch.equal(task.average.eval()(latents), task.network.generator.eval()(latents))


def test_both_rates_follow_the_schedule() -> None:
    rates: list[list[float]] = []

    class Listener(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])

    words = (*SMALL, "scheduler=step", "scheduler.every=1", "scheduler.factor=0.5", "trainer.max_epochs=2")
    fit(IMAGES, images(16), *words, batch_size=8, callbacks=[Listener()])
    assert rates == [[2e-3, 2e-3], [1e-3, 1e-3], [1e-3, 1e-3], [5e-4, 5e-4]]


def test_the_metrics_are_means_over_the_images_of_the_average_generator() -> None:
    task, (raw, classes) = adversarial(), images(10)
    with torch.no_grad():
        task.network.generator[0].weight.zero_()  # the average alone is measured
    found = [metrics_of(task, batch) for batch in ((raw[:6], classes[:6]), (raw[6:], classes[6:]))]
    both = metrics_of(task, (raw[:6], classes[:6]), (raw[6:], classes[6:]))
    assert set(both) == set(task.metric_names)
    for name, value in both.items():
        assert value == pytest.approx(0.6 * found[0][name] + 0.4 * found[1][name], rel=1e-5)
        assert value > 0
    assert both["loss"] == pytest.approx(both["generator_loss"] + both["discriminator_loss"], rel=1e-6)
    assert metrics_of(adversarial(), (raw[:6], classes[:6]))["distance"] == found[0]["distance"]


def test_an_empty_share_of_a_batch_changes_nothing() -> None:
    task, (raw, classes) = adversarial(), images(4)
    assert metrics_of(task, (raw, classes), (raw[:0], classes[:0])) == metrics_of(task, (raw, classes))


def test_the_distance_tells_of_missing_variety() -> None:
    random = torch.Generator().manual_seed(0)
    points, others = (torch.randn(500, 3, 2, generator=random) for _ in range(2))
    directions = torch.eye(6)
    assert float(sliced_wasserstein(points, points.flip(0), directions)) == 0
    assert float(sliced_wasserstein(points, others, directions)) < 0.1
    assert float(sliced_wasserstein(points, points + 3, directions)) == pytest.approx(3, rel=1e-5)
    assert float(sliced_wasserstein(points, points.mean(0).expand_as(points), directions)) > 0.7


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
def test_either_network_learns_a_batch_by_heart_while_the_other_stands_still(kind: str) -> None:
    task, (raw, classes) = adversarial(loss=kind).train(), images(8)
    real, latents = task._real((raw, classes)), torch.randn(8, 3)

    def discriminator_loss() -> Tensor:
        return task._discriminator_loss(real, task.network.generate(latents).detach())

    def generator_loss() -> Tensor:
        return task._generator_loss(task.network.generate(latents))

    for part, loss in ((task.network.discriminator, discriminator_loss), (task.network.generator, generator_loss)):
        optimizer = torch.optim.Adam(part.parameters(), lr=0.02)
        for _ in range(100):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        assert loss().item() < 0.01


def test_together_they_come_nearer_to_the_data() -> None:
    images = load_digits().images[:320, None] / 16
    batch = torch.from_numpy(images * 255).to(torch.uint8), torch.zeros(320, dtype=torch.int64)
    words = ("model=gan", "model.base_channels=16", "trainer.max_epochs=12", "task.ema=0.9")
    before = metrics_of(build_task(RunConfig.from_overrides(*words), IMAGES), batch)["distance"]
    task, _ = fit(IMAGES, batch, *words, batch_size=16)
    assert metrics_of(task, batch)["distance"] < 0.6 * before


def test_images_are_generated_by_their_seed_from_0_to_1() -> None:
    task = adversarial().train()
    made = task.generate(300)
    assert made.shape == (300, 1, 8, 8)
    assert float(made.min()) >= 0 <= 1 >= float(made.max())
    assert task.training
    assert torch.equal(made, task.generate(300))
    assert torch.equal(made, task.show(images(300)[0]))
    assert not torch.equal(made, task.generate(300, seed=2))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loss": "hinges"}, "loss=hinges: unknown loss, did you mean 'hinge'"),
        ({"ema": 1.0}, "ema=1.0: a share from 0 to below 1"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        adversarial(**options)


def test_a_network_that_does_not_generate_is_refused() -> None:
    network: nn.Module = Linear(IMAGES)
    with pytest.raises(ValueError, match="Linear does not generate images; model=gan does"):
        Adversarial(IMAGES, network, augment(IMAGES))


def test_a_schedule_that_waits_for_a_plateau_is_refused() -> None:
    with pytest.raises(ValueError, match="scheduler=plateau: the losses of an adversarial training have no plateau"):
        build_task(RunConfig.from_overrides(*SMALL, "scheduler=plateau"), IMAGES)


@pytest.mark.parametrize("option", ["trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=1.0"])
def test_what_lightning_does_for_one_optimizer_alone_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option}: not where two networks learn in turn"):
        build_trainer(RunConfig.from_overrides(*SMALL, option))


class FlopCount(Callback):
    """Counts the operations of one training step."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.counter = FlopCounterMode(display=False)
        self.counter.__enter__()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.counter.__exit__(None, None, None)


def test_the_operations_of_a_step_are_those_of_both_networks() -> None:
    count = FlopCount()
    task, _ = fit(IMAGES, images(8), *SMALL, "model.base_channels=16", batch_size=8, callbacks=[count])
    told = task.training_flops(flops_per_sample(task.network, task.preprocess.output_spec))
    # The first layers need no gradients of their inputs, and the distance takes a few products.
    assert count.counter.get_total_flops() / 8 == pytest.approx(told, rel=0.15)
