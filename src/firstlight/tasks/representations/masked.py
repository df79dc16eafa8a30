"""A masked autoencoder: hidden patches of an image are reconstructed from a few visible ones."""

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.networks.network import num_parameters
from firstlight.networks.vit import ViT
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.representations.mask_decoder import MaskDecoder
from firstlight.tasks.representations.representation import Representation

_GREY = 0.5  # of hidden patches in images of examples


class Masked(Representation):
    """Learns features by which the hidden patches of an image can be reconstructed from its visible patches.

    A masked autoencoder (He, Chen, Xie, Li, Dollar & Girshick 2022, "Masked autoencoders are scalable vision learners",
    section 3): the encoder sees the visible patches alone, and a small decoder, `network.decoder`, predicts the pixels
    of all. The loss is the mean squared error of the hidden patches. The features are the mean over all patches.
    In evaluation, the same patches are hidden each time.

    Args:
        spec: the data; images.
        network: a vision transformer. Its output layer is removed.
        augment: turns raw batches into the network's inputs.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        mask_ratio: fraction of the patches that is hidden; at least one patch is hidden and one visible.
        normalise: whether the pixels of a patch have mean 0 and standard deviation 1 in the loss.
        decoder_dim: length of the vector that represents a patch in the decoder, a multiple of 4.
        decoder_layers: blocks of the decoder.
        decoder_heads: attention heads of the decoder, a divisor of `decoder_dim`.
        probe_every: see `Representation`, as the next two.
        probe_samples: see `Representation`.
        neighbours: see `Representation`.

    Raises:
        ValueError: the data holds no images, the network is no vision transformer, the image has a single patch, or a
            number is out of its range.
    """

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        mask_ratio: float = 0.75,
        normalise: bool = True,
        decoder_dim: int = 64,
        decoder_layers: int = 2,
        decoder_heads: int = 4,
        probe_every: int = 1,
        probe_samples: int = 5000,
        neighbours: int = 20,
    ) -> None:
        super().__init__(
            spec,
            network,
            augment,
            transfer,
            probe_every=probe_every,
            probe_samples=probe_samples,
            neighbours=neighbours,
        )
        check_range("mask_ratio", mask_ratio, above=0, below=1)
        if not isinstance(network, ViT):
            raise ValueError(
                f"task=masked: must have a vision transformer, model=vit; {type(network).__name__} is none."
            )
        self.normalise = normalise
        self.num_patches = len(network.positions)
        if self.num_patches < 2:
            raise ValueError(
                "task=masked: must have images of several patches. To fix: set a smaller model.patch_size."
            )
        self.num_visible = min(self.num_patches - 1, max(1, round(self.num_patches * (1 - mask_ratio))))
        network.output = nn.Identity()  # type: ignore[assignment]
        network.decoder = MaskDecoder(network, decoder_dim, decoder_layers, decoder_heads)

    def training_flops(self, flops: int) -> int:
        """Return the operations of one training sample: the visible patches through the encoder, all through the
        decoder, whose attention is not counted."""
        decoder = 2 * num_parameters(self.network.decoder) * self.num_patches
        return 3 * (flops * self.num_visible // self.num_patches + decoder)

    def places(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the places of visible and of hidden patches, in random order: (count, patches of the kind), int64.

        In evaluation they are the same each time.
        """
        shape = count, self.num_patches
        if self.training:
            order = torch.rand(shape, device=self.device).argsort(1)
        else:
            order = torch.rand(shape, generator=generator(0, "mask", count)).argsort(1).to(self.device)
        return order[:, : self.num_visible], order[:, self.num_visible :]

    def reconstruct(self, patches: Tensor, visible: Tensor) -> Tensor:
        """Return the predicted pixels of all patches (batch, patches, numbers), as in the loss.

        Args:
            patches: (batch, patches, numbers).
            visible: the places of the visible ones (batch, visible patches).
        """
        vectors = _at(self.network.embed(patches), visible)
        return self.network.decoder(self.network.encode(vectors), visible)

    def unlabelled_loss(self, raw: Tensor) -> Tensor:
        """Return the mean squared error of the hidden pixels of raw images (batch, channels, height, width)."""
        unused = torch.zeros(len(raw), dtype=torch.int64, device=raw.device)
        inputs, _ = self.prepared((raw, unused))
        patches = self.network.patches(inputs)
        visible, hidden = self.places(len(patches))
        predicted = self.reconstruct(patches, visible).float()
        return (_at(predicted, hidden) - _at(self._targets(patches), hidden)).square().mean()

    def _targets(self, patches: Tensor) -> Tensor:
        if not self.normalise:
            return patches
        return (patches - patches.mean(2, keepdim=True)) / _std(patches)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the mean over the features of all patches (batch, embedding_dim)."""
        return self.network(inputs)

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `reconstructions` (3 * batch, channels, height, width), see `example_output`."""
        return {} if is_final else {"reconstructions": self.example_output(raw)}

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return each image with hidden patches in grey, reconstructed, and complete: (3 * batch, channels, height,
        width), from 0 to 1. If patches are normalised in the loss, the mean and the contrast of hidden ones are those
        of the image, because nothing predicts them."""
        inputs = self.preprocess(raw)
        patches = self.network.patches(inputs)
        visible, _ = self.places(len(patches))
        predicted = self.reconstruct(patches, visible)
        if self.normalise:
            predicted = predicted * _std(patches) + patches.mean(2, keepdim=True)
        shown = [self._pixels(_put(patches, visible, predicted), inputs), self.preprocess.to_pixels(inputs)]
        is_hidden = _put(torch.zeros_like(patches), visible, torch.ones_like(patches))
        grey = torch.where(self.network.images(is_hidden, inputs.shape[2:]) > 0, _GREY, shown[1])
        return torch.stack([grey, *shown], 1).flatten(0, 1)

    def _pixels(self, patches: Tensor, inputs: Tensor) -> Tensor:
        return self.preprocess.to_pixels(self.network.images(patches, inputs.shape[2:]))


def _at(patches: Tensor, places: Tensor) -> Tensor:
    """Return the patches at these places: (batch, patches, numbers) and (batch, places) -> (batch, places, numbers)."""
    return patches.gather(1, places[..., None].expand(-1, -1, patches.shape[2]))


def _put(patches: Tensor, places: Tensor, others: Tensor) -> Tensor:
    """Return `others` with those of `patches` at these places; both (batch, patches, numbers)."""
    index = places[..., None].expand(-1, -1, patches.shape[2])
    return others.scatter(1, index, patches.gather(1, index))


def _std(patches: Tensor) -> Tensor:
    return (patches.var(2, keepdim=True) + 1e-6).sqrt()
