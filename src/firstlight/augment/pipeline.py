"""The pipeline: named steps, fused into one resampling and one matrix of colours."""

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

# Numbers that a CPU works on at a time: its caches hold them, and memory is not asked for again and again.
_CHUNK = 2**19


class Augment(nn.Module):
    """A raw batch of a training becomes a network's input, each sample changed by random draws of its own.

    Steps of one kind follow each other as they are named; the kinds have an order of their own: geometry, colour,
    hue, filters, mixing. Geometry is one resampling however many steps there are, and the resize to the network's
    size with it; colour is one matrix per sample, the normalisation included. Measuring and predicting go through
    `preprocess` alone.

    Args:
        spec: of the data.
        min_size: the smallest height and width that the network takes.
        size: height and width to resize to, whatever the data's own.
        views: augmented views of each sample that pass a frozen backbone once, in place of new ones in every epoch.
        padding: what stands beyond the edges of an image that is moved: zero (black), mirror or border.
        steps: by name, in order; None for one that is left out.

    Attributes:
        preprocess: what happens to samples that are not augmented.

    Raises:
        ValueError: an unknown padding, views of nothing, or a step that has no meaning for the data.
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
        """Set one list of steps per kind; colour steps that the images have too few channels for are left out."""
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
        """Raw inputs and targets of a batch -> the network's inputs and the targets to train on.

        Classes become class probabilities (batch, classes) where samples are mixed.
        """
        # Places of pixels take all the digits of float32, whatever precision the network is trained in.
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
        """Windows are changed together with the token that follows them, so that all targets follow."""
        windows = torch.cat([raw, targets[:, -1:]], 1).long()
        for step in self.token_steps:
            windows = step.change(windows)
        return windows[:, :-1], windows[:, 1:]

    def _move_and_colour(self, raw: Tensor) -> Tensor:
        """Geometry and colour: float32 of mean 0 and deviation 1 at the network's size."""
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
        """Geometry, and the colours' transforms with the normalisation in them: one pass less."""
        assert isinstance(self.preprocess, ImagePreprocess)
        scale, shift = self.preprocess.scale, self.preprocess.shift
        transforms = colour.add_offsets(transforms * scale[:, :, 0], shift[None, :, 0, 0])
        black, white = shift, shift + 255 * scale
        for rows in _chunks(outputs):
            pixels = self._move(raw[rows], None if matrices is None else matrices[rows])
            coloured = colour.apply_transforms(transforms[rows], pixels, out=outputs[rows])
            # Two operations, for one with both bounds broadcast is several times slower than both.
            torch.minimum(torch.maximum(coloured, black, out=coloured), white, out=coloured)
        return outputs

    def _move(self, raw: Tensor, matrices: Tensor | None) -> Tensor:
        """Pixels from 0 to 255 at the network's size."""
        assert isinstance(self.preprocess, ImagePreprocess)
        if matrices is None:
            return self.preprocess.resize(self.preprocess.crop_margin(raw).float())
        if all(step.exact for step in self.geometry):
            return self.preprocess.resize(move_whole_pixels(raw, matrices, self.spec.image_size, self.padding).float())
        return resample(raw, matrices, self.spec.image_size, self.preprocess.output_spec.image_size, self.padding)

    def _draw_matrices(self, num_samples: int, device: torch.device) -> Tensor:
        """All of geometry: from an output pixel back through the last step, and so on to the first."""
        matrices = identity(num_samples, device)
        for step in self.geometry:
            matrices = step.change(matrices, self.spec.image_size)
        return matrices

    def _draw_transforms(self, raw: Tensor) -> Tensor:
        """All of colour that is linear; white is 255."""
        means = raw.new_zeros(raw.shape[:2], dtype=torch.float32)
        if any(step.needs_means for step in self.colour):
            for rows in _chunks(raw):
                means[rows] = raw[rows].float().mean((2, 3))
        transforms = colour.identity_transforms(means)
        for step in self.colour:
            transforms = step.change(transforms)
        return transforms


def _check_step(name: str, step: Step, spec: DataSpec, views: int) -> None:
    """Raise a ValueError if a step is of no known kind, or does not fit the data or the views."""
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
    """The samples of a batch, as many at a time as suit the device."""
    samples_per_chunk = max(1, len(batch))
    if batch.device.type == "cpu":
        samples_per_chunk = max(1, _CHUNK * len(batch) // max(1, batch.numel()))
    for start in range(0, len(batch), samples_per_chunk):
        yield slice(start, start + samples_per_chunk)
