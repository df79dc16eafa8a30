"""The augmentation pipeline: named steps, fused into few passes over the pixels.

All geometry steps together are one 3x3 matrix per sample, so that each image is resampled once. All colour steps
together are one affine transform per sample, which includes the normalisation.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import colour
from firstlight.augment.colour import Colour
from firstlight.augment.filters import Filter
from firstlight.augment.geometry import Geometry
from firstlight.augment.hue import Hue, turn_hues
from firstlight.augment.matrices import identity
from firstlight.augment.mixing import Mixing
from firstlight.augment.preprocess import ImagePreprocess, preprocess_for
from firstlight.augment.resample import PADDINGS, move_whole_pixels, resample
from firstlight.augment.step import Step
from firstlight.augment.token_steps import TokenStep
from firstlight.checks import check_range, choose
from firstlight.spec import DataSpec

# Numbers that a CPU processes at a time, so that they fit into its caches and their memory is reused.
_CHUNK = 2**19


class Augment(nn.Module):
    """Convert a raw batch of the training split to a network's input, with random changes of each sample.

    The kinds of steps are applied in this order: geometry, colour, exact hues, filters, mixing. Steps of the same kind
    are applied in the order of the arguments. The work is fused:

    - All geometry steps and the resize to the network's size become one resampling of each image. Steps that only
      mirror, or shift by whole pixels, move pixels without interpolation instead.
    - All colour steps and the normalisation become one affine transform of the colours per sample. An exact hue is not
      affine: it takes a pass of its own between the transform and the normalisation.

    Random numbers come from torch's default generator, which is reseeded for each training step. Evaluation and
    prediction use `preprocess` only.

    Args:
        spec: the data's spec.
        min_size: the smallest height and width that the network accepts.
        size: height and width to resize images to, see `ImagePreprocess`.
        views: number of augmented views of each sample. A frozen backbone computes their features once, for all
            epochs. 0 augments the samples again in each epoch.
        padding: values beyond the edges of an image that is moved: zero (black), mirror or border.
        steps: the steps by their names, in order; None leaves a step out.

    Attributes:
        preprocess: converts samples without augmentation.
        has_steps: whether there is any step.
        geometry, colour, hue, filters, mixing, token_steps: the steps of each kind; `hue` holds the exact ones.

    Raises:
        ValueError: an option is invalid, or a step is of no known kind or does not fit the data.
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        min_size: int = 1,
        size: int | None = None,
        views: int = 0,
        padding: str = "mirror",
        **steps: Step | None,
    ) -> None:
        super().__init__()
        choose("augment.padding", padding, PADDINGS, "padding")
        check_range("augment.views", views, at_least=0)
        self.spec = spec
        self.views = views
        self.padding = padding
        self.preprocess = preprocess_for(spec, min_size=min_size, size=size)
        named_steps = {name: step for name, step in steps.items() if step is not None}
        for name, step in named_steps.items():
            _check_step(name, step, spec, views)
        self.has_steps = bool(named_steps)
        self._group(list(named_steps.values()))
        for step in self.token_steps:
            step.learn(spec.labels)

    def _group(self, steps: list[Step]) -> None:
        """Set a list of steps for each kind. Colour steps that need three channels are left out for other images."""
        self.geometry = [step for step in steps if isinstance(step, Geometry)]
        self.filters = [step for step in steps if isinstance(step, Filter)]
        self.mixing = [step for step in steps if isinstance(step, Mixing)]
        self.token_steps = [step for step in steps if isinstance(step, TokenStep)]
        has_rgb = self.spec.kind == "images" and self.spec.input_shape[0] == 3
        colour = [step for step in steps if isinstance(step, Colour) and (has_rgb or not step.mixes_channels)]
        self.hue = [step for step in colour if isinstance(step, Hue) and step.exact]
        self.colour = [step for step in colour if step not in self.hue]

    @torch.no_grad()
    def forward(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's inputs and the targets of a batch.

        If there are mixing steps, the targets are class probabilities (batch, classes), otherwise `targets`.
        """
        # Positions of pixels need the precision of float32, even if the network is trained in less.
        with torch.autocast(raw.device.type, enabled=False):
            return self._augment(raw, targets)

    def _augment(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if self.token_steps:
            return self._augment_tokens(raw, targets)
        if not isinstance(self.preprocess, ImagePreprocess):
            return self.preprocess(raw), targets
        raw = self.preprocess.expand_channels(raw)
        images = self._move_and_colour(raw) if self.geometry or self.colour or self.hue else self.preprocess(raw)
        for step in self.filters:
            images = step.apply(images, 1 / (255 * self.preprocess.scale.flatten()))
        if self.mixing:
            targets = F.one_hot(targets, self.spec.num_outputs).float()
            for mixing in self.mixing:
                images, targets = mixing.mix(images, targets)
        return images, targets

    def _augment_tokens(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Change windows of tokens, including the last target, so that each target is still the next token."""
        windows = torch.cat([raw, targets[:, -1:]], 1).long()
        for step in self.token_steps:
            windows = step.change(windows)
        return windows[:, :-1], windows[:, 1:]

    def _move_and_colour(self, raw: Tensor) -> Tensor:
        """Apply geometry, colour, exact hues and the normalisation."""
        assert isinstance(self.preprocess, ImagePreprocess)
        num_samples, device = len(raw), raw.device
        matrices = self._draw_matrices(num_samples, device) if self.geometry else None
        transforms = self._draw_transforms(raw) if self.colour else None
        turns = torch.stack([hue.draw(num_samples, device) for hue in self.hue]).sum(0) if self.hue else None
        outputs = torch.empty(num_samples, *self.preprocess.output_spec.input_shape, device=device)
        if transforms is not None and turns is None:
            return self._apply_normalised_transforms(raw, matrices, transforms, outputs)
        for rows in _chunks(outputs):
            pixels = self._move(raw[rows], None if matrices is None else matrices[rows])
            if transforms is not None:
                pixels = colour.apply_transforms(transforms[rows], pixels).clamp_(0, 255)
            if turns is not None:
                turn_hues(pixels, turns[rows], sum(hue.turns for hue in self.hue))
            torch.mul(pixels, self.preprocess.scale, out=outputs[rows]).add_(self.preprocess.shift)
        return outputs

    def _apply_normalised_transforms(
        self, raw: Tensor, matrices: Tensor | None, transforms: Tensor, outputs: Tensor
    ) -> Tensor:
        """Apply geometry, and colour transforms that include the normalisation, which saves a pass over the pixels."""
        assert isinstance(self.preprocess, ImagePreprocess)
        scale, shift = self.preprocess.scale, self.preprocess.shift
        transforms = colour.add_offsets(transforms * scale[:, :, 0], shift[None, :, 0, 0])
        black, white = shift, shift + 255 * scale
        for rows in _chunks(outputs):
            pixels = self._move(raw[rows], None if matrices is None else matrices[rows])
            coloured = colour.apply_transforms(transforms[rows], pixels, out=outputs[rows])
            # Two operations are several times faster than one `clamp` that broadcasts both bounds.
            torch.minimum(torch.maximum(coloured, black, out=coloured), white, out=coloured)
        return outputs

    def _move(self, raw: Tensor, matrices: Tensor | None) -> Tensor:
        """Apply geometry and resize; pixels stay on the scale from 0 to 255."""
        assert isinstance(self.preprocess, ImagePreprocess)
        if matrices is None:
            return self.preprocess.resize(self.preprocess.crop_margin(raw).float())
        if all(step.exact for step in self.geometry):
            return self.preprocess.resize(move_whole_pixels(raw, matrices, self.spec.image_size, self.padding).float())
        return resample(raw, matrices, self.spec.image_size, self.preprocess.output_spec.image_size, self.padding)

    def _draw_matrices(self, num_samples: int, device: torch.device) -> Tensor:
        """Draw the matrices of all geometry steps; each step appends its change to those of the previous steps."""
        matrices = identity(num_samples, device)
        for step in self.geometry:
            matrices = step.change(matrices, self.spec.image_size)
        return matrices

    def _draw_transforms(self, raw: Tensor) -> Tensor:
        """Draw the affine transforms of all colour steps, on the scale from 0 to 255."""
        means = raw.new_zeros(raw.shape[:2], dtype=torch.float32)
        if any(step.needs_means for step in self.colour):
            for rows in _chunks(raw):
                means[rows] = raw[rows].float().mean((2, 3))
        transforms = colour.identity_transforms(means)
        for step in self.colour:
            transforms = step.change(transforms)
        return transforms


def _check_step(name: str, step: object, spec: DataSpec, views: int) -> None:
    """Raise a ValueError if a step is of no known kind, or does not fit the data or the number of views."""
    if not isinstance(step, Geometry | Colour | Filter | Mixing | TokenStep):
        raise ValueError(
            f"augment.{name}: must be a geometry, colour, filter, mixing or token step,"
            f" not an instance of {type(step).__name__}."
        )
    if step.accepts != spec.kind:
        raise ValueError(
            f"augment.{name}: must be a step for {spec.kind}; {type(step).__name__} is for {step.accepts}."
        )
    if isinstance(step, Mixing) and spec.targets != "classes":
        raise ValueError(f"augment.{name}: must be null, because the data's targets are {spec.targets}, not classes.")
    if isinstance(step, Mixing) and views:
        raise ValueError(f"augment.views={views}: must be 0, because augment.{name} mixes the samples of each batch.")


def _chunks(batch: Tensor) -> Iterator[slice]:
    """Yield slices of a batch, as large as the device processes efficiently."""
    samples_per_chunk = max(1, len(batch))
    if batch.device.type == "cpu":
        samples_per_chunk = max(1, _CHUNK * len(batch) // max(1, batch.numel()))
    for start in range(0, len(batch), samples_per_chunk):
        yield slice(start, start + samples_per_chunk)
