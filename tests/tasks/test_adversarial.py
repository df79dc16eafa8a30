import copy
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from firstlight.config import RunConfig
from firstlight.networks import GAN, Linear
from firstlight.networks.flops import flops_per_sample
from firstlight.tasks import Adversarial
from firstlight.tasks.build import build_task
from firstlight.tasks.metrics.sliced_wasserstein import sliced_wasserstein
from helpers.small import IMAGES, augment, fit, images, metrics_of

SMALL = ("model=gan", "model.base_channels=4", "model.latent_dim=3")
GENERATOR, DISCRIMINATOR = 0, 1


def adversarial(**options: Any) -> Adversarial:
    torch.manual_seed(0)
    return Adversarial(IMAGES, GAN(IMAGES, latent_dim=3, base_channels=4), augment(IMAGES), **options).eval()


def expected_losses(kind: str, network: GAN, real: Tensor, fakes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the losses of the generator and of the discriminator, written as in the papers."""
    real_logits, fake_logits = network.discriminate(real), network.discriminate(fakes)
    if kind == "hinge":
        discriminator_loss = (1 - real_logits).clamp(min=0).mean() + (1 + fake_logits).clamp(min=0).mean()
        return -fake_logits.mean(), discriminator_loss
    cross_entropy = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
    return cross_entropy(fake_logits, ones), cross_entropy(real_logits, ones) + cross_entropy(fake_logits, zeros)


class RecordingUpdate:
    """Takes plain gradient steps, and records each: the part, its loss, the state before, and all gradients."""

    def __init__(self, task: Adversarial, lr: float) -> None:
        self.task = task
        self.lr = lr
        self.parts: list[int] = []
        self.losses: list[Tensor] = []
        self.networks: list[GAN] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.discriminator_learns: list[bool] = []

    def __call__(self, part: int, loss: Tensor) -> None:
        network = self.task.network
        self.parts.append(part)
        self.losses.append(loss.detach())
        self.networks.append(copy.deepcopy(network))
        self.discriminator_learns.append(any(value.requires_grad for value in network.discriminator.parameters()))
        network.zero_grad()
        loss.backward()
        self.gradients.append(
            {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}
        )
        torch.optim.SGD(self.task.optimized_parts()[part].parameters(), self.lr).step()


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
def test_a_step_updates_the_discriminator_and_then_the_generator_while_the_discriminator_is_frozen(kind: str) -> None:
    task, (raw, classes) = adversarial(loss=kind, ema=0.9).train(), images(8)
    update, average = RecordingUpdate(task, lr=0.1), copy.deepcopy(task.average.state_dict())
    meter = task.new_meter()
    torch.manual_seed(1)
    loss = task.alternating_step((raw, classes), meter, update)

    assert update.parts == [DISCRIMINATOR, GENERATOR]
    assert update.discriminator_learns == [True, False]
    assert all(value.requires_grad for value in task.network.parameters())
    for names, prefix in zip(update.gradients, ("discriminator.", "generator."), strict=True):
        parts = {name for name, _ in task.network.named_parameters() if name.startswith(prefix)}
        assert set(names) == parts  # the other part gets no gradients

    before, between = update.networks
    torch.manual_seed(1)
    real, fakes = raw / 127.5 - 1, before.generate(torch.randn(8, 3))
    discriminator_loss = expected_losses(kind, before, real, fakes.detach())[1]
    discriminator_loss.backward()
    # `between` has the updated discriminator. Its pass over the images of `before` gives the generator's gradients.
    generator_loss = expected_losses(kind, between, real, fakes)[0]
    generator_loss.backward()
    torch.testing.assert_close(torch.stack(update.losses), torch.stack([discriminator_loss, generator_loss]).detach())
    expected = {name: value.grad for name, value in before.named_parameters()}
    for name, gradient in (update.gradients[0] | update.gradients[1]).items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-3)

    assert not loss.requires_grad
    found = meter.compute()
    assert found["discriminator_loss"] == pytest.approx(float(discriminator_loss.detach()), rel=1e-5)
    assert found["generator_loss"] == pytest.approx(float(generator_loss.detach()), rel=1e-5)
    assert found["loss"] == pytest.approx(float(loss), rel=1e-5)

    for name, value in task.average.state_dict().items():
        new = task.network.generator.state_dict()[name]
        torch.testing.assert_close(value, 0.9 * average[name] + 0.1 * new if value.is_floating_point() else new)


def test_a_run_generates_images_with_an_average_of_the_generators() -> None:
    generators: list[dict[str, Tensor]] = []

    class Recorder(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            generators.append(copy.deepcopy(pl_module.task.network.generator.state_dict()))

    words = (*SMALL, "scheduler=constant", "task.ema=0.9")
    module, _ = fit(IMAGES, images(22), *words, batch_size=8, callbacks=[Recorder()])
    task = module.task
    assert isinstance(task, Adversarial)
    expected, *after = [*generators, task.network.generator.state_dict()]
    assert len(after) == 3
    for name, value in task.average.state_dict().items():
        for new in after:
            is_float = value.is_floating_point()
            expected[name] = 0.9 * expected[name] + 0.1 * new[name] if is_float else new[name]
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in task.average.parameters())
    latents = torch.randn(2, 3)
    assert not torch.equal(task.average.eval()(latents), task.network.generator.eval()(latents))


def test_evaluation_uses_the_averaged_generator_and_gives_means_over_images() -> None:
    task, (raw, classes) = adversarial(), images(10)
    with torch.no_grad():
        task.network.generator[0].weight.zero_()  # the average keeps the initial weights
    first, second = (raw[:6], classes[:6]), (raw[6:], classes[6:])
    found = [metrics_of(task, batch) for batch in (first, second)]
    both = metrics_of(task, first, second)
    assert set(both) == set(task.metric_names)
    for name, value in both.items():
        assert value == pytest.approx(0.6 * found[0][name] + 0.4 * found[1][name], rel=1e-5)
        assert value > 0
    assert both["loss"] == pytest.approx(both["generator_loss"] + both["discriminator_loss"], rel=1e-6)
    assert metrics_of(adversarial(), first)["distance"] == found[0]["distance"]


def test_an_empty_batch_changes_no_metric() -> None:
    task, (raw, classes) = adversarial(), images(4)
    assert metrics_of(task, (raw, classes), (raw[:0], classes[:0])) == metrics_of(task, (raw, classes))


def test_the_distance_is_large_if_points_are_shifted_or_lack_variety() -> None:
    random = torch.Generator().manual_seed(0)
    points, others = (torch.randn(500, 3, 2, generator=random) for _ in range(2))
    directions = torch.eye(6)
    assert float(sliced_wasserstein(points, points.flip(0), directions)) == 0
    assert float(sliced_wasserstein(points, others, directions)) < 0.1
    assert float(sliced_wasserstein(points, points + 3, directions)) == pytest.approx(3, rel=1e-5)
    assert float(sliced_wasserstein(points, points.mean(0).expand_as(points), directions)) > 0.7


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
def test_each_network_overfits_one_batch_while_the_other_is_fixed(kind: str) -> None:
    task, (raw, _) = adversarial(loss=kind).train(), images(8)
    real, latents = raw / 127.5 - 1, torch.randn(8, 3)

    def discriminator_loss() -> Tensor:
        return task._discriminator_loss(real, task.network.generate(latents).detach())

    def generator_loss() -> Tensor:
        return task._generator_loss(task.network.generate(latents))

    for part, loss in ((task.network.discriminator, discriminator_loss), (task.network.generator, generator_loss)):
        optimizer = torch.optim.Adam(part.parameters(), lr=0.02)
        values = []
        for _ in range(100):
            value = loss()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            values.append(value.item())
        assert min(values) < 0.01


@pytest.mark.slow
def test_training_makes_generated_images_more_similar_to_the_data() -> None:
    digits = load_digits().images[:320, None] / 16
    batch = torch.from_numpy(digits * 255).to(torch.uint8), torch.zeros(320, dtype=torch.int64)
    words = ("model=gan", "model.base_channels=16", "trainer.max_epochs=12", "task.ema=0.9", "seed=3")
    before = metrics_of(build_task(RunConfig.from_overrides(*words), IMAGES), batch)["distance"]
    module, _ = fit(IMAGES, batch, *words, batch_size=16)
    assert metrics_of(module.task, batch)["distance"] < 0.6 * before


def test_generated_images_lie_between_0_and_1_and_follow_from_the_seed() -> None:
    task = adversarial().train()
    made = task.generate(300)
    assert made.shape == (300, 1, 8, 8)
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    assert task.training
    assert torch.equal(made, task.generate(300))
    assert torch.equal(made, task.example_output(images(300)[0]))
    assert not torch.equal(made, task.generate(300, seed=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinges"}, "loss=hinges: unknown loss, did you mean 'hinge'"),
        ({"ema": 1.0}, r"ema=1\.0: must be at least 0 and below 1"),
        ({"ema": -0.1}, r"ema=-0\.1: must be at least 0 and below 1"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adversarial(**options)


def test_a_network_that_does_not_generate_images_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"a network that generates images, such as model=gan; Linear does not\."):
        Adversarial(IMAGES, Linear(IMAGES), augment(IMAGES))


class FlopCount(Callback):
    """Counts the operations of one training step."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.counter = FlopCounterMode(display=False)
        self.counter.__enter__()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.counter.__exit__(None, None, None)


def test_training_flops_count_the_passes_of_both_networks() -> None:
    count = FlopCount()
    module, _ = fit(IMAGES, images(8), *SMALL, "model.base_channels=16", batch_size=8, callbacks=[count])
    task = module.task
    computed = task.training_flops(flops_per_sample(task.network, task.preprocess.output_spec))
    # The first layers need no gradients of their inputs, and the distance takes a few products.
    assert count.counter.get_total_flops() / 8 == pytest.approx(computed, rel=0.15)
