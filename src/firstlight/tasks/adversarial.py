"""Adversarial training: a generator against a discriminator."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.networks.flops import flops_per_sample
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.latent_walk import latent_walk
from firstlight.tasks.metrics.meters import Sums, means
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.metrics.sliced_wasserstein import random_directions, sliced_wasserstein
from firstlight.tasks.task import Batch, Task, Update

LOSSES = ("non_saturating", "hinge")
_NUM_SAMPLES = 32  # images in a figure
_GENERATOR, _DISCRIMINATOR = 0, 1  # indices of the optimized parts


class Adversarial(Task):
    """Trains the discriminator to separate real images from generated ones, and the generator to deceive it.

    Each step of the run trains the discriminator and then the generator on one batch. Evaluation and sampling use an
    exponential moving average of the generator's weights (Karras et al. 2018). Every checkpoint holds this average.

    The metric `distance` shows how good the images are: the sliced Wasserstein distance (Rabin et al. 2011) between the
    images of a batch and as many generated ones. It grows if the generated images lack variety. The losses show only
    which network is ahead. The distance is a mean over batches, and is larger for smaller batches, so runs can be
    compared only if their batch sizes are equal.

    Args:
        spec: the data.
        network: has `generator`, `generate`, `discriminate` and `latent_dim`, see `firstlight.networks.GAN`.
        augment: turns raw batches into the network's inputs.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        loss: "non_saturating" (Goodfellow et al. 2014, section 3) or "hinge" (Lim & Ye 2017).
        ema: decay of the moving average: the fraction of it that each step keeps.

    Raises:
        ValueError: the loss is unknown, `ema` is out of range, or the network does not generate images.
    """

    has_multiple_optimizers = True
    supports_freezing = False
    metrics: tuple[Metric, ...] = (
        LOSS,
        Metric("generator_loss", "min"),
        Metric("discriminator_loss", "min"),
        Metric("distance", "min"),
    )
    headline = ("distance",)
    needs = ("generator", "generate", "discriminate", "latent_dim")
    needs_description = "generates images, such as model=gan"

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        loss: str = "non_saturating",
        ema: float = 0.995,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        choose("loss", loss, LOSSES, "loss")
        check_range("ema", ema, at_least=0, below=1)
        self.loss = loss
        self.ema = ema
        self.average: Any = copy.deepcopy(network.generator).requires_grad_(False)

    def training_flops(self, flops: int) -> int:
        """Return the operations of one training sample.

        The generator passes once. The discriminator passes three times: real images, generated images, and the
        generator's step, which needs only the gradients of the inputs, half of a backward pass.
        """
        return 3 * flops + 8 * flops_per_sample(self.network.discriminator, self.preprocess.output_spec)

    def optimized_parts(self) -> list[nn.Module]:
        """Return the generator and the discriminator."""
        return [self.network.generator, self.network.discriminator]

    def new_meter(self) -> Sums:
        """Return a meter of sums over images, at zero."""
        return Sums(("count", *self.metric_names), means, self.device)

    def alternating_step(self, batch: Batch, meter: Sums, update: Update) -> Tensor:
        """Train the discriminator, then the generator, on a raw batch."""
        real = self._real_images(batch)
        latents = torch.randn(len(real), self.network.latent_dim, device=self.device)
        fakes = self.network.generate(latents)
        discriminator_loss = self._discriminator_loss(real, fakes.detach())
        update(_DISCRIMINATOR, discriminator_loss)
        self.network.discriminator.requires_grad_(False)
        generator_loss = self._generator_loss(fakes)
        update(_GENERATOR, generator_loss)
        self.network.discriminator.requires_grad_(True)
        self._update_average()
        distance = sliced_wasserstein(real, fakes.detach(), random_directions(real, None))
        self._add(meter, len(real), generator_loss, discriminator_loss, distance)
        return (generator_loss + discriminator_loss).detach()

    @torch.no_grad()
    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Evaluate the averaged generator on a raw batch, with the same latents and directions in every evaluation."""
        real = self._real_images(batch)
        random = generator(0, "measure", len(real), device="cpu")
        latents = torch.randn(len(real), self.network.latent_dim, generator=random).to(self.device)
        directions = random_directions(real, random)
        fakes = self.average(latents)
        distance = sliced_wasserstein(real, fakes, directions)
        losses = self._generator_loss(fakes), self._discriminator_loss(real, fakes)
        self._add(meter, len(real), *losses, distance)
        return losses[0] + losses[1]

    def _add(
        self, meter: Sums, count: int, generator_loss: Tensor, discriminator_loss: Tensor, distance: Tensor
    ) -> None:
        if count:
            meter.add(
                count=count,
                loss=(generator_loss + discriminator_loss) * count,
                generator_loss=generator_loss * count,
                discriminator_loss=discriminator_loss * count,
                distance=distance * count,
            )

    def _real_images(self, batch: Batch) -> Tensor:
        """Return the images of a batch, scaled to the range -1 to 1, like the output of the generator."""
        inputs, _ = self.prepared(batch)
        return self.preprocess.to_pixels(inputs) * 2 - 1

    def _generator_loss(self, fakes: Tensor) -> Tensor:
        logits = self.network.discriminate(fakes)
        return F.softplus(-logits).mean() if self.loss == "non_saturating" else -logits.mean()

    def _discriminator_loss(self, real: Tensor, fakes: Tensor) -> Tensor:
        # Two passes keep the batch statistics of real and generated images apart.
        real_logits, fake_logits = self.network.discriminate(real), self.network.discriminate(fakes)
        if self.loss == "non_saturating":
            return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        new = self.network.generator.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - self.ema)
            else:  # an integer, such as the number of batches that a normalisation layer has seen
                value.copy_(new[name])

    def example_output(self, raw: Tensor) -> Tensor:
        """Return one generated image for each sample of `raw`: (batch, channels, height, width), from 0 to 1."""
        return self.generate(len(raw))

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `samples` of the same latents each time; at the end, `latent_walk`: rows of images on the way from one
        latent to the next. All are images (images, channels, height, width)."""
        if not is_final:
            return {"samples": self.generate(_NUM_SAMPLES)}
        latents = torch.randn(5, self.network.latent_dim, generator=generator(1, "walk")).to(self.device)
        return {"latent_walk": (self.average(latent_walk(latents, are_normal=True)) + 1) / 2}

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `images` (batch, channels, height, width), from 0 to 1, of latents (batch, latent_dim)."""
        return {"images": (self.average(raw) + 1) / 2}

    @property
    def latent_dim(self) -> int | None:
        """Length of the latents of the generator."""
        return int(self.network.latent_dim)

    @property
    def can_sample(self) -> bool:
        """Whether the trained network generates samples."""
        return True

    def sample(
        self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1, number: int = 64
    ) -> Tensor:
        """Return images (number, channels, height, width), see `generate`. Options for texts have no effect."""
        return self.generate(number, seed)

    @torch.inference_mode()
    def generate(self, num_images: int, seed: int = 1) -> Tensor:
        """Return images of the averaged generator: (images, channels, height, width), from 0 to 1."""
        was_training = self.training
        self.eval()
        latents = torch.randn(num_images, self.network.latent_dim, generator=generator(seed, "codes"))
        made = [self.average(part.to(self.device)).cpu() for part in latents.split(256)]
        self.train(was_training)
        return (torch.cat(made) + 1) / 2
