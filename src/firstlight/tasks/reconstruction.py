"""An image through a latent and back."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.recipe import Recipe
from firstlight.tasks.sums import Sums, Totals
from firstlight.tasks.task import Batch, Task

LOSSES = ("mse", "bce")

_LEAST_VARIANCE = 1e-6  # a quarter of a grey level: nobody can tell pixels apart that are nearer


class Reconstruction(Task):
    """The network gives its input back, as pixels from 0 to 1.

    Where the network is variational, the loss is the negative evidence lower bound per pixel (Kingma & Welling 2014,
    equation 10): the reconstruction's part and the divergence of the latents from the standard normal distribution.
    With mse, pixels are normally distributed with the variance that suits a batch best, its mean squared error (Rybkin,
    Daniilidis & Levine 2021, section 3.2): with a fixed one, small or pale images would not be worth a latent. That
    loss is a density's and falls below 0.

    Args:
        spec: of the data.
        network: has `reconstruct`, see `firstlight.networks.Autoencoder`.
        augment: from raw batches to the network's inputs.
        recipe: how to train.
        loss: mse of the pixels, or bce: binary cross entropy, for images that are mostly black and white.
        kl_weight: of the divergence: 1 is the bound itself, more asks for tidier latents (Higgins et al. 2017).

    Raises:
        ValueError: an unknown loss, a negative weight, or a network that does not reconstruct.
    """

    supports_freezing = False

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        recipe: Recipe | None = None,
        *,
        loss: str = "mse",
        kl_weight: float = 1.0,
    ) -> None:
        super().__init__(spec, network, augment, recipe)
        if not hasattr(network, "reconstruct"):
            raise ValueError(f"{type(network).__name__} does not reconstruct images; model=autoencoder does.")
        choose("loss", loss, LOSSES, "loss")
        if not 0 <= kl_weight < math.inf:
            raise ValueError(f"kl_weight={kl_weight}: a weight is 0 or more.")
        self.loss = loss
        self.kl_weight = kl_weight
        self.metric_names = ("loss", "mse", *(("kl",) if self.can_sample else ()))

    def new_meter(self) -> Sums:
        """Sums over images."""
        return Sums(("count", "loss", "mse", "kl"), self._means, self.device)

    def _means(self, sums: Totals) -> Totals:
        count = max(1.0, sums["count"])
        return {name: sums[name] / count for name in self.metric_names}

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Mean loss per pixel of a raw batch."""
        inputs, _ = self.prepared(batch)
        pixels = self.preprocess.to_pixels(inputs)
        scores, mean, log_variance = self.network.reconstruct(inputs)
        outputs = self.as_pixels(scores)
        mse = F.mse_loss(outputs, pixels)
        loss = F.binary_cross_entropy_with_logits(scores, pixels) if self.loss == "bce" else mse
        kl = torch.zeros((), device=loss.device)
        if log_variance is not None:
            kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
            if self.loss == "mse":
                loss = 0.5 * (2 * math.pi * math.e * mse.clamp_min(_LEAST_VARIANCE)).log()
            loss = loss + self.kl_weight * kl / math.prod(pixels.shape[1:])
        if len(inputs):
            count = len(inputs)
            meter.add(count=count, loss=loss * count, mse=mse * count, kl=kl * count)
        return loss

    def as_pixels(self, scores: Tensor) -> Tensor:
        """What the network gives, as pixels: 0 is black and 1 is white."""
        return scores.sigmoid() if self.loss == "bce" else scores

    @property
    def can_sample(self) -> bool:
        """Codes can be drawn where their distribution is known."""
        return self.network.log_variance is not None

    @torch.inference_mode()
    def generate(self, num_images: int, seed: int = 1) -> Tensor:
        """Images from 0 to 1 of latents from the standard normal distribution: (images, channels, height, width)."""
        latents = torch.randn(num_images, self.network.mean.out_features, generator=generator(seed, "codes"))
        made = [self.as_pixels(self.network.decode(part.to(self.device))).cpu() for part in latents.split(256)]
        return torch.cat(made).clamp(0, 1)

    @torch.inference_mode()
    def show(self, raw: Tensor) -> Tensor:
        """Images and what comes back, in turn: (2 * batch, channels, height, width), from 0 to 1."""
        inputs = self.preprocess(raw)
        pair = self.preprocess.to_pixels(inputs), self.as_pixels(self.network(inputs)).clamp(0, 1)
        return torch.stack(pair, 1).flatten(0, 1)
