"""Contrastive learning: two augmented views of an image are recognised among those of other images."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.networks.network import completed
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks.representations.representation import Representation
from firstlight.transfer.head import Head, head_name


class Contrastive(Representation):
    """Learns features that are similar for two augmented views of an image, and differ from those of other images.

    SimCLR (Chen, Kornblith, Norouzi & Hinton 2020, "A simple framework for contrastive learning of visual
    representations"): the head of the network becomes a projection of two layers, whose outputs the loss `nt_xent`
    compares within a batch. The features are the inputs of the head. With several devices, each compares the images of
    its own part of the batch.

    In evaluation, the views are the same each time, so that losses can be compared if the sizes of the batches are
    equal.

    Args:
        spec: the data; images.
        network: ends in a linear layer, which the projection replaces.
        augment: makes the views, and must have steps that mix no images.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        temperature: divides the similarities; the smaller, the more the most similar images count.
        projection_dim: outputs of the projection.
        probe_every: see `Representation`.
        probe_samples: see there.
        neighbours: see there.

    Raises:
        ValueError: the data holds no images, the augmentation has no steps or mixes images, the network does not end in
            a linear layer, or a number is out of its range.
    """

    augments_evaluation = True
    min_batch_size: ClassVar[int] = 2

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        temperature: float = 0.5,
        projection_dim: int = 128,
        probe_every: int = 1,
        probe_samples: int = 5000,
        neighbours: int = 20,
    ) -> None:
        check_range("temperature", temperature, above=0, below=float("inf"))
        check_range("projection_dim", projection_dim, at_least=1)
        self._check(spec, completed(network))
        _check_views(augment)
        self._project(network, projection_dim)
        super().__init__(
            spec,
            network,
            augment,
            transfer,
            probe_every=probe_every,
            probe_samples=probe_samples,
            neighbours=neighbours,
        )
        self.temperature = temperature
        self.projection_dim = projection_dim

    def _project(self, network: nn.Module, projection_dim: int) -> None:
        """Replace the head by a projection."""
        name = head_name(network)
        last = None if name is None else network.get_submodule(name)
        if not isinstance(last, nn.Linear):
            raise ValueError(
                f"task={self.task_name}: must have a network that ends in a linear layer, such as model=lenet;"
                f" {type(network).__name__} does not."
            )
        size = last.in_features
        layers = nn.Linear(size, size), nn.ReLU(), nn.Linear(size, projection_dim)
        network.set_submodule(str(name), Head(*layers))

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of outputs of the projection."""
        return (self.projection_dim,)

    def training_flops(self, flops: int) -> int:
        """Return the operations of one training sample: two views, forward and backward."""
        return 6 * flops

    def views(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return two augmented views (batch, channels, height, width) of raw images, as inputs of the network.

        In evaluation they are the same each time.
        """
        if not self.training:
            reseed(derive(0, "views", len(raw)), self.device)
        unused = torch.zeros(len(raw), dtype=torch.int64, device=raw.device)
        return self.augment(raw, unused)[0], self.augment(raw, unused)[0]

    def unlabelled_loss(self, raw: Tensor) -> Tensor:
        """Return the loss `nt_xent` of two views of each raw image (batch, channels, height, width)."""
        projections = self.network(torch.cat(self.views(raw)))  # in one pass, as batch normalisation should see them
        return nt_xent(projections, self.temperature)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the inputs of the projection (batch, features)."""
        found: list[Tensor] = []
        hook = self.freezing.head.register_forward_pre_hook(lambda _head, given: found.append(given[0]))
        try:
            self.network(inputs)
        finally:
            hook.remove()
        return found[0].flatten(1)

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `views` (2 * batch, channels, height, width), see `example_output`."""
        return {} if is_final else {"views": self.example_output(raw)}

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return the two views of each image, side by side: (2 * batch, channels, height, width), from 0 to 1."""
        pixels = [self.preprocess.to_pixels(view) for view in self.views(raw)]
        return torch.stack(pixels, 1).flatten(0, 1)


def nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Return the normalised temperature-scaled cross entropy (Chen et al. 2020, equation 1, and algorithm 1).

    Each of the 2N views classifies which of the other 2N - 1 views is that of its own image, by the cosine similarity
    of the projections.

    Args:
        projections: (2N, features), the first views of N images and then their second views.
        temperature: divides the similarities.
    """
    with torch.autocast(projections.device.type, enabled=False):
        directions = F.normalize(projections.float(), dim=1)
        logits = directions @ directions.T / temperature
        logits = logits.masked_fill(torch.eye(len(logits), dtype=torch.bool, device=logits.device), float("-inf"))
        partners = torch.arange(len(logits), device=logits.device).roll(len(logits) // 2)
        return F.cross_entropy(logits, partners)


def _check_views(augment: Augment) -> None:
    """Check that the views of an image differ, and show that image alone."""
    for step in augment.mixing:
        name = type(step).__name__.lower()
        raise ValueError(f"augment.{name}: must be null with task=contrastive, because it mixes different images.")
    if not (augment.geometry or augment.colour or augment.hue or augment.samples):
        raise ValueError(
            "augment: must have steps that change these images with task=contrastive, such as augment=contrastive;"
            " without them both views of an image are equal."
        )
