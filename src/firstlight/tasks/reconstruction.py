"""Reconstruction: an image through a latent vector and back."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.latent_walk import latent_walk
from firstlight.tasks.metrics.meters import Sums, Totals, means
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.task import Batch, Task, random_like

LOSSES = ("mse", "bce")

_NUM_SAMPLES = 32  # images in a figure
_MIN_VARIANCE = 1e-6  # a standard deviation of a quarter of a grey level, which is invisible


class Reconstruction(Task):
    """Minimizes the difference between images and their reconstructions, as pixels from 0 to 1.

    For a variational network the loss is the negative evidence lower bound per pixel (Kingma & Welling 2014, equation
    10): the reconstruction error and the divergence of the latents from the standard normal distribution. With mse,
    pixels are normally distributed with the variance that fits a batch best, its mean squared error (Rybkin, Daniilidis
    & Levine 2021, section 3.2). With a fixed variance, the latents of small or pale images would hold nothing. This
    loss is the logarithm of a density and may be negative.

    Args:
        spec: the data.
        network: has `reconstruct`, see `firstlight.networks.Autoencoder`.
        augment: turns raw batches into the network's inputs.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        loss: "mse" of the pixels, or "bce": binary cross entropy, for images that are mostly black and white.
        kl_weight: weight of the divergence. With 1 the loss is the bound itself; more makes latents independent
            (Higgins et al. 2017).

    Raises:
        ValueError: the loss is unknown, the weight is negative, or the network does not reconstruct images.
    """

    supports_freezing = False
    can_predict = True
    headline: ClassVar[tuple[str, ...]] = ("mse",)
    needs = ("reconstruct", "log_variance")
    needs_description = "reconstructs images, such as model=autoencoder"

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        loss: str = "mse",
        kl_weight: float = 1.0,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        choose("loss", loss, LOSSES, "loss")
        check_range("kl_weight", kl_weight, at_least=0, below=math.inf)
        self.loss = loss
        self.kl_weight = kl_weight
        self.metrics = (LOSS, Metric("mse", "min"), *((Metric("kl", "min"),) if self.can_sample else ()))

    def new_meter(self) -> Sums:
        """Return a meter of sums over images, at zero."""
        return Sums(("count", "loss", "mse", "kl"), self._metrics, self.device)

    def _metrics(self, sums: Totals) -> Totals:
        found = means(sums)
        return {name: found[name] for name in self.metric_names}

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Return the mean loss per pixel of a raw batch."""
        inputs, _ = self.prepared(batch)
        pixels = self.preprocess.to_pixels(inputs)
        logits, mean, log_variance = self.network.reconstruct(inputs)
        outputs = self.as_pixels(logits)
        mse = F.mse_loss(outputs, pixels)
        loss = F.binary_cross_entropy_with_logits(logits, pixels) if self.loss == "bce" else mse
        kl = torch.zeros((), device=loss.device)
        if log_variance is not None:
            kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
            if self.loss == "mse":
                loss = 0.5 * (2 * math.pi * math.e * mse.clamp_min(_MIN_VARIANCE)).log()
            loss = loss + self.kl_weight * kl / math.prod(pixels.shape[1:])
        if len(inputs):
            count = len(inputs)
            meter.add(count=count, loss=loss * count, mse=mse * count, kl=kl * count)
        self.compare(outputs, pixels)
        return loss

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `reconstructions`, and `samples` of the same latents each time; at the end, `latent_walk`: rows of
        images (images, channels, height, width) on the way from the latent of one sample to that of the next."""
        if is_final:
            latents = self.network.reconstruct(self.preprocess(raw[:5]))[1]
            return {"latent_walk": self.as_pixels(self.network.decode(latent_walk(latents))).clamp(0, 1)}
        made = {"samples": self.generate(_NUM_SAMPLES)} if self.can_sample else {}
        return {"reconstructions": self.example_output(raw), **made}

    def embeddings(self, raw: Tensor) -> Tensor:
        """Return the latents (batch, latent_dim)."""
        return self.network.reconstruct(self.preprocess(raw))[1]

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `reconstructions` (batch, channels, height, width), from 0 to 1, and `latents` (batch, latent_dim)."""
        outputs, latents, _ = self.network.reconstruct(self.preprocess(raw))
        return {"reconstructions": self.as_pixels(outputs).clamp(0, 1), "latents": latents}

    def example_comparison(self) -> Batch:
        """Return random images."""
        outputs, pixels = random_like(2, 2, *self.preprocess.output_spec.input_shape).sigmoid()
        return outputs, pixels

    def metric_options(self) -> dict[str, Any]:
        """Return the range of the pixels."""
        return {"data_range": 1.0}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the mean squared error of the reconstruction, and the latent as `latent_1` and so on."""
        inputs = self.preprocess(raw)
        outputs, latents, _ = self.network.reconstruct(inputs)
        errors = (self.as_pixels(outputs) - self.preprocess.to_pixels(inputs)).square().flatten(1).mean(1)
        return [
            {"mse": round(error, 8)} | {f"latent_{place}": round(value, 6) for place, value in enumerate(latent, 1)}
            for error, latent in zip(errors.tolist(), latents.tolist(), strict=True)
        ]

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the error."""
        return (f"mse {row['mse']:.6f}",)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the error; the latent is in the CSV file only."""
        return [self.cells(row)]

    def as_pixels(self, outputs: Tensor) -> Tensor:
        """Return outputs (batch, channels, height, width) as pixels of the same shape: 0 is black and 1 is white."""
        return outputs.sigmoid() if self.loss == "bce" else outputs

    @property
    def can_sample(self) -> bool:
        """Whether the network generates images: a variational one does, because its latents have a distribution."""
        return self.network.log_variance is not None

    def sample(
        self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1, number: int = 64
    ) -> Tensor:
        """Return images (number, channels, height, width), see `generate`. Options for texts have no effect."""
        return self.generate(number, seed)

    @torch.inference_mode()
    def generate(self, num_images: int, seed: int = 1) -> Tensor:
        """Return images decoded from random latents: (images, channels, height, width), from 0 to 1.

        The latents are drawn from the standard normal distribution.
        """
        latents = torch.randn(num_images, self.network.mean.out_features, generator=generator(seed, "codes"))
        made = [self.as_pixels(self.network.decode(part.to(self.device))).cpu() for part in latents.split(256)]
        return torch.cat(made).clamp(0, 1)

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return each image followed by its reconstruction: (2 * batch, channels, height, width), from 0 to 1."""
        inputs = self.preprocess(raw)
        pair = self.preprocess.to_pixels(inputs), self.as_pixels(self.network(inputs)).clamp(0, 1)
        return torch.stack(pair, 1).flatten(0, 1)
