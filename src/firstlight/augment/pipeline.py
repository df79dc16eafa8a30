"""The augmentation pipeline: named steps, fused into few passes over the pixels.

All geometry steps together are one 3x3 matrix per sample, so that each image is resampled once. All colour steps
together are one affine transform per sample, which includes the normalisation.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import colour
from firstlight.augment.hue import turn_hues
from firstlight.augment.matrices import identity
from firstlight.augment.module_step import ModuleStep
from firstlight.augment.places import move_boxes, move_masks
from firstlight.augment.preprocess import ImagePreprocess, preprocess_for
from firstlight.augment.resample import PADDINGS, move_whole_pixels, resample
from firstlight.augment.step import STAGES, Step
from firstlight.checks import check_range, choose
from firstlight.spec import DataSpec

# Numbers that a CPU processes at a time, so that they fit into its caches and their memory is reused.
_CHUNK = 2**19


class Augment(nn.Module):
    """Convert a raw batch of the training split to a network's input, with random changes of each sample.

    The stages of steps are applied in this order: geometry, colour, exact hues, samples (filters, modules and all steps
    that override `Step.apply`), mixing. Steps of the same stage are applied in the order of the arguments. The work is
    fused:

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
        steps: the steps by their names, in order; None leaves a step out. A module of torch becomes a `ModuleStep`.

    Attributes:
        preprocess: converts samples without augmentation.
        has_steps: whether there is any step.
        geometry, colour, hue, mixing: the steps of these stages; `hue` holds the exact ones.
        samples: the steps of the stage "samples", by their names.

    Raises:
        ValueError: an option is invalid, or a step is of no known stage or does not fit the data.
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        min_size: int = 1,
        size: int | None = None,
        views: int = 0,
        padding: str = "mirror",
        **steps: Step | nn.Module | None,
    ) -> None:
        super().__init__()
        choose("augment.padding", padding, PADDINGS, "padding")
        check_range("augment.views", views, at_least=0)
        self.spec = spec
        self.views = views
        self.padding = padding
        self.preprocess = preprocess_for(spec, min_size=min_size, size=size)
        named = {name: _as_step(name, step) for name, step in steps.items() if step is not None}
        for name, step in named.items():
            _check_step(name, step, spec, views)
            _call(name, step.prepare, self.preprocess.output_spec)
        self.has_steps = bool(named)
        self._group(named)
        if self.geometry and padding == "mirror" and spec.targets == "boxes":
            raise ValueError(
                "augment.padding=mirror: must be border or zero with boxes, because mirrored objects have none."
            )

    def _group(self, steps: dict[str, Step]) -> None:
        """Set the steps of each stage. Colour steps that need three channels are left out for other images."""
        of_stage: dict[str, list[Any]] = {stage: [] for stage in STAGES}
        for step in steps.values():
            of_stage[step.stage].append(step)
        has_rgb = self.spec.kind == "images" and self.spec.input_shape[0] == 3
        self.geometry, self.mixing = of_stage["geometry"], of_stage["mixing"]
        self.colour, self.hue = (
            [step for step in of_stage[stage] if has_rgb or not step.mixes_channels] for stage in ("colour", "hue")
        )
        self.samples = {name: step for name, step in steps.items() if step.stage == "samples"}

    @torch.no_grad()
    def forward(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's inputs and the targets of a batch.

        If there are mixing steps, the targets are class probabilities (batch, classes). Masks and boxes are moved with
        their images. Other targets are `targets`.
        """
        # Positions of pixels need the precision of float32, even if the network is trained in less.
        with torch.autocast(raw.device.type, enabled=False):
            return self._augment(raw, targets)

    def plain(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's inputs and the targets of a batch without random changes, for evaluation."""
        if isinstance(self.preprocess, ImagePreprocess):
            targets = self.preprocess.with_places(targets, raw)
        return self.preprocess(raw), targets

    def _augment(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(self.preprocess, ImagePreprocess):
            return self._augment_others(raw, targets)
        raw = self.preprocess.expand_channels(raw)
        matrices = self._draw_matrices(len(raw), raw.device) if self.geometry else None
        changes_pixels = self.geometry or self.colour or self.hue
        images = self._move_and_colour(raw, matrices) if changes_pixels else self.preprocess(raw)
        targets = self._move_places(targets, raw, matrices)
        for name, step in self.samples.items():
            images = _call(name, step.apply_normalised, images, self.preprocess)
        if self.mixing:
            targets = F.one_hot(targets, self.spec.num_outputs).float()
            for mixing in self.mixing:
                images, targets = mixing.mix(images, targets)
        return images, targets

    def _augment_others(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Change standardised columns, or windows of tokens.

        Windows of a text include the last target, so that each target is still the next token.
        """
        if not self.samples or self.spec.targets != "tokens":
            return self._changed(self.preprocess(raw)), targets
        windows = self._changed(torch.cat([raw, targets[:, -1:]], 1).long())
        return windows[:, :-1], windows[:, 1:]

    def _changed(self, samples: Tensor) -> Tensor:
        for name, step in self.samples.items():
            samples = _call(name, step.apply_checked, samples)
        return samples

    def _move_places(self, targets: Tensor, raw: Tensor, matrices: Tensor | None) -> Tensor:
        """Move masks and boxes as `_move` moves their images; other targets are returned unchanged."""
        assert isinstance(self.preprocess, ImagePreprocess)
        if matrices is None or not self.spec.has_places:
            return self.preprocess.with_places(targets, raw)
        view, size = self.spec.image_size, self.preprocess.output_spec.image_size
        if self.spec.targets == "boxes":
            return move_boxes(targets, matrices, (raw.shape[2], raw.shape[3]), view, size)
        exact = all(step.exact for step in self.geometry)
        return move_masks(targets, matrices, view, size, self.padding, exact=exact)

    def _move_and_colour(self, raw: Tensor, matrices: Tensor | None) -> Tensor:
        """Apply geometry, colour, exact hues and the normalisation."""
        assert isinstance(self.preprocess, ImagePreprocess)
        num_samples, device = len(raw), raw.device
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


def _as_step(name: str, step: Step | nn.Module) -> Step:
    """Return a step; a module becomes one.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(step, nn.Module):
        return ModuleStep(step)
    if not isinstance(step, Step):
        raise ValueError(
            f"augment.{name}: must be a step or a torch.nn.Module, not an instance of {type(step).__name__}."
        )
    return step


def _call(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call a method of a step, and complete the message of its ValueError with the name of the step."""
    try:
        return function(*args)
    except ValueError as error:
        dot = "." if re.match(r"\w+=", str(error)) else ": "  # an option of the step
        raise ValueError(f"augment.{name}{dot}{error}") from error


def _check_step(name: str, step: Step, spec: DataSpec, views: int) -> None:
    """Raise a ValueError if a step cannot be applied, or does not fit the data or the number of views."""
    class_name = type(step).__name__
    if step.accepts not in ("anything", spec.kind):
        raise ValueError(f"augment.{name}: must be a step for {spec.kind}; {class_name} is for {step.accepts}.")
    if step.stage not in STAGES:
        raise ValueError(f"augment.{name}: must be of the stage {' or '.join(STAGES)}; {class_name} is {step.stage}.")
    if (
        step.stage == "samples"
        and type(step).apply_normalised is Step.apply_normalised
        and type(step).apply is Step.apply
    ):
        raise ValueError(
            f"augment.{name}: must define apply(samples), see firstlight.augment.step.Step; {class_name} does not."
        )
    if spec.has_places and isinstance(step, ModuleStep):
        raise ValueError(
            f"augment.{name}: must be a step of firstlight with {spec.targets} as targets, because a module may move"
            " the pixels without them."
        )
    if step.stage == "mixing" and spec.targets != "classes":
        raise ValueError(f"augment.{name}: must be null, because the data's targets are {spec.targets}, not classes.")
    if step.stage == "mixing" and views:
        raise ValueError(f"augment.views={views}: must be 0, because augment.{name} mixes the samples of each batch.")


def _chunks(batch: Tensor) -> Iterator[slice]:
    """Yield slices of a batch, as large as the device processes efficiently."""
    samples_per_chunk = max(1, len(batch))
    if batch.device.type == "cpu":
        samples_per_chunk = max(1, _CHUNK * len(batch) // max(1, batch.numel()))
    for start in range(0, len(batch), samples_per_chunk):
        yield slice(start, start + samples_per_chunk)
