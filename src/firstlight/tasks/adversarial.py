"""Images of nothing: a generator against a discriminator."""

import copy
from typing import Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.networks.flops import flops_per_sample
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.distance import random_directions, sliced_wasserstein
from firstlight.tasks.recipe import Recipe
from firstlight.tasks.sums import Sums, Totals
from firstlight.tasks.task import Batch, Task
from firstlight.training.schedulers import plateau

LOSSES = ("non_saturating", "hinge")


class Adversarial(Task):
    """The discriminator learns to tell real images from generated ones, the generator to deceive it.

    Of each batch both learn, one after the other; that is one step of the run. Images are generated for use by an
    exponential moving average of the generator's weights (Karras et al. 2018), which is in every checkpoint.

    What a run is judged by is `distance`: the sliced Wasserstein distance (Rabin et al. 2011) between held-out
    images and as many generated ones, which tells of missing variety too; the losses only tell who is ahead. It is
    the mean over batches, and larger for smaller ones, so that runs can be compared where their batch sizes are equal.

    Args:
        spec: of the data.
        network: has `generator`, `generate`, `discriminate` and `latent_dim`, see `firstlight.networks.GAN`.
        augment: from raw batches to the network's inputs.
        recipe: how to train; each of the two gets an optimizer and a scheduler of its own.
        loss: non_saturating (Goodfellow et al. 2014, section 3) or hinge (Lim & Ye 2017).
        ema: share of the average that each step keeps.

    Raises:
        ValueError: an unknown loss, a share outside 0 to 1, a network that does not generate, or a recipe whose
            scheduler waits for a plateau.
    """

    has_multiple_optimizers = True
    supports_freezing = False
    metric_names = ("loss", "generator_loss", "discriminator_loss", "distance")

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        recipe: Recipe | None = None,
        *,
        loss: str = "non_saturating",
        ema: float = 0.995,
    ) -> None:
        super().__init__(spec, network, augment, recipe)
        if not hasattr(network, "discriminate"):
            raise ValueError(f"{type(network).__name__} does not generate images; model=gan does.")
        choose("loss", loss, LOSSES, "loss")
        if not 0 <= ema < 1:
            raise ValueError(f"ema={ema}: a share from 0 to below 1.")
        if recipe is not None and getattr(recipe.scheduler, "func", None) is plateau:
            raise ValueError("scheduler=plateau: the losses of an adversarial training have no plateau; take another.")
        self.automatic_optimization = False
        self.loss = loss
        self.ema = ema
        self.average: Any = copy.deepcopy(network.generator).requires_grad_(False)

    def training_flops(self, flops: int) -> int:
        """The generator's own, and the discriminator's three passes: real, generated, and the generator's turn.

        In the last one gradients of its inputs are all that is asked of it, half of a backward pass.
        """
        return 3 * flops + 8 * flops_per_sample(self.network.discriminator, self.preprocess.output_spec)

    def configure_optimizers(self) -> Any:
        """One optimizer for each of the two."""
        assert self.recipe is not None
        plan = self._plan()
        optimizers = [
            self.recipe.optimizer(part.parameters()) for part in (self.network.generator, self.network.discriminator)
        ]
        return optimizers, [self.recipe.scheduler(optimizer, plan) for optimizer in optimizers]

    def new_meter(self) -> Sums:
        """Sums over images."""
        return Sums(("count", *self.metric_names), _means, self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The discriminator's step, then the generator's, which alone counts as a step of the run."""
        self._reseed(batch_idx)
        real = self._real(batch)
        for_generator, for_discriminator = self._optimizers_in_turn()
        latents = torch.randn(len(real), self.network.latent_dim, device=self.device)
        fakes = self.network.generate(latents)

        for_discriminator.zero_grad()
        discriminator_loss = self._discriminator_loss(real, fakes.detach())
        self.manual_backward(discriminator_loss)
        self.trainer.strategy.optimizer_step(for_discriminator, lambda: None)  # as Lightning's own, but not counted

        self.network.discriminator.requires_grad_(False)
        for_generator.zero_grad()
        generator_loss = self._generator_loss(fakes)
        self.manual_backward(generator_loss)
        for_generator.step()
        self.network.discriminator.requires_grad_(True)

        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers:
            scheduler.step()
        self._update_average()
        distance = sliced_wasserstein(real, fakes.detach(), random_directions(real, None))
        self._note(self._meter, len(real), generator_loss, discriminator_loss, distance)
        return (generator_loss + discriminator_loss).detach()

    def _optimizers_in_turn(self) -> tuple[LightningOptimizer, torch.optim.Optimizer]:
        """The generator's as Lightning wraps it, whose steps count, and the discriminator's bare."""
        counting: Any = self.optimizers()
        silent: Any = self.optimizers(use_pl_optimizer=False)
        return counting[0], silent[1]

    @torch.no_grad()
    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Measure the average generator on a raw batch; the same latents and directions every time."""
        real = self._real(batch)
        random = generator(0, "measure", len(real), device="cpu")
        latents = torch.randn(len(real), self.network.latent_dim, generator=random).to(self.device)
        directions = random_directions(real, random)
        fakes = self.average(latents)
        distance = sliced_wasserstein(real, fakes, directions)
        losses = self._generator_loss(fakes), self._discriminator_loss(real, fakes)
        self._note(meter, len(real), *losses, distance)
        return losses[0] + losses[1]

    def _note(
        self, meter: Any, count: int, generator_loss: Tensor, discriminator_loss: Tensor, distance: Tensor
    ) -> None:
        if count:
            meter.add(
                count=count,
                loss=(generator_loss + discriminator_loss) * count,
                generator_loss=generator_loss * count,
                discriminator_loss=discriminator_loss * count,
                distance=distance * count,
            )

    def _real(self, batch: Batch) -> Tensor:
        """Real images as the generator gives its own: from -1 to 1."""
        inputs, _ = self.prepared(batch)
        return self.preprocess.to_pixels(inputs) * 2 - 1

    def _generator_loss(self, fakes: Tensor) -> Tensor:
        scores = self.network.discriminate(fakes)
        return F.softplus(-scores).mean() if self.loss == "non_saturating" else -scores.mean()

    def _discriminator_loss(self, real: Tensor, fakes: Tensor) -> Tensor:
        # One pass each: the batch statistics of real and generated images are to stay apart.
        of_real, of_fakes = self.network.discriminate(real), self.network.discriminate(fakes)
        if self.loss == "non_saturating":
            return F.softplus(-of_real).mean() + F.softplus(of_fakes).mean()
        return F.relu(1 - of_real).mean() + F.relu(1 + of_fakes).mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        new = self.network.generator.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - self.ema)
            else:  # how many batches a normalisation has seen
                value.copy_(new[name])

    def show(self, raw: Tensor) -> Tensor:
        """As many generated images: (batch, channels, height, width), from 0 to 1."""
        return self.generate(len(raw))

    @property
    def can_sample(self) -> bool:
        """That is what it is for."""
        return True

    @torch.inference_mode()
    def generate(self, num_images: int, seed: int = 1) -> Tensor:
        """Images from 0 to 1 by the average generator: (images, channels, height, width)."""
        was_training = self.training
        self.eval()
        latents = torch.randn(num_images, self.network.latent_dim, generator=generator(seed, "codes"))
        made = [self.average(part.to(self.device)).cpu() for part in latents.split(256)]
        self.train(was_training)
        return (torch.cat(made) + 1) / 2


def _means(sums: Totals) -> Totals:
    count = max(1.0, sums["count"])
    return {name: value / count for name, value in sums.items() if name != "count"}
