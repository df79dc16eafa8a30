"""Compare the images per second of the same augmentation in firstlight, Kornia and torchvision.

    uv run --with kornia scripts/benchmarks/augment.py

The augmentation runs on the CPU, on a uint8 batch: random flip, rotation, shift, zoom and perspective (bilinear, with
black beyond the edges), then brightness, contrast, saturation, hue and normalisation. firstlight and Kornia process
whole batches, torchvision one image at a time. The candidates are timed in turn for several rounds, and the best time
of each is compared.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

from firstlight.augment import (
    Augment,
    Brightness,
    Contrast,
    Flip,
    Hue,
    Perspective,
    Rotate,
    Saturation,
    Shift,
    Zoom,
)
from firstlight.spec import DataSpec
from firstlight.training.environment import keep_freed_memory

BATCHES = ((512, 3, 32, 32), (128, 3, 224, 224))
ROUNDS = 10
DEGREES, SHIFT, ZOOM, DISTORTION, CHANGE, TURNS = 15.0, 0.1, (0.9, 1.1), 0.2, 0.2, 0.05
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def firstlight(shape: tuple[int, ...], *, exact_hue: bool) -> Callable[[Tensor], Tensor]:
    """Return our pipeline: one resampling and one colour transform; exact hues, which the others use, add one pass."""
    spec = DataSpec(shape[1:], 10, tuple("abcdefghij"), MEAN, STD)
    augment = Augment(
        spec,
        padding="zero",
        flip=Flip(p=0.5),
        rotate=Rotate(degrees=DEGREES),
        shift=Shift(width=SHIFT, height=SHIFT),
        zoom=Zoom(low=ZOOM[0], high=ZOOM[1]),
        perspective=Perspective(distortion=DISTORTION),
        brightness=Brightness(change=CHANGE),
        contrast=Contrast(change=CHANGE),
        saturation=Saturation(change=CHANGE),
        hue=Hue(turns=TURNS, exact=exact_hue),
    )
    targets = torch.zeros(shape[0], dtype=torch.int64)
    return lambda raw: augment(raw, targets)[0]


def kornia() -> Callable[[Tensor], Tensor] | None:
    """Return Kornia's pipeline, which resamples once per geometry step, or None if Kornia is not installed."""
    try:
        from kornia import augmentation as K
    except ImportError:
        return None
    steps = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5),
        # One step for rotation, shift and zoom is the fastest way in Kornia.
        K.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=ZOOM, p=1.0),
        K.RandomPerspective(DISTORTION, p=1.0),
        # The fixed order is faster than a random one.
        K.ColorJitter(CHANGE, CHANGE, CHANGE, TURNS, p=1.0, order=(0, 1, 2, 3)),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )
    return lambda raw: steps(raw.float() / 255)


def torchvision() -> Callable[[Tensor], Tensor]:
    """Return torchvision's pipeline, one image at a time, because it draws one random number for a whole batch."""
    bilinear = InterpolationMode.BILINEAR
    steps = nn.Sequential(
        v2.RandomHorizontalFlip(p=0.5),
        v2.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=ZOOM, interpolation=bilinear),
        v2.RandomPerspective(DISTORTION, p=1.0, interpolation=bilinear),
        v2.ColorJitter(CHANGE, CHANGE, CHANGE, TURNS),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    )
    return lambda raw: torch.stack([steps(image) for image in raw])


@torch.no_grad()
def main() -> None:
    """Print the images per second of each candidate for both batches, and its time relative to ours."""
    keep_freed_memory()  # as in a training run; all candidates benefit
    random = torch.Generator().manual_seed(0)
    for shape in BATCHES:
        raw = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
        candidates = {
            "firstlight": firstlight(shape, exact_hue=False),
            "exact hues": firstlight(shape, exact_hue=True),
            "kornia": kornia(),
            "torchvision": torchvision(),
        }
        print(f"{' x '.join(map(str, shape))}, {torch.get_num_threads()} threads")
        running = {name: augment for name, augment in candidates.items() if augment is not None}
        times: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(ROUNDS):
            for name, augment in running.items():
                started = time.perf_counter()
                result = augment(raw)
                times[name].append(time.perf_counter() - started)
                assert result.shape == shape
        best = {name: min(seconds) for name, seconds in times.items()}
        for name, seconds in best.items():
            print(f"  {name:12} {shape[0] / seconds:10,.0f} images/s  {seconds / best['firstlight']:6.1f} x our time")
        if candidates["kornia"] is None:
            print("  kornia       is not installed: uv run --with kornia scripts/benchmarks/augment.py")


if __name__ == "__main__":
    main()
