"""Images per second of one augmentation: ours, Kornia's batched one, and torchvision's, which goes sample by sample.

    uv run --with kornia scripts/benchmarks/augment.py

A uint8 batch becomes normalised float32 on the CPU, mirrored by chance, and each image turned, shifted, zoomed, put
in perspective and changed in brightness, contrast, saturation and hue, bilinear and with black beyond the edges. The
three are timed in turn, round after round, and the best of each is compared.
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
    """One resampling, one matrix of colours; with exact hues, as the others have them, one more pass for these."""
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
    """A resampling for each step of geometry; bilinear is its default. None where it is not installed."""
    try:
        from kornia import augmentation as K
    except ImportError:
        return None
    steps = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5),
        # Turned, shifted and zoomed at once, which is the fastest that it can.
        K.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=ZOOM, p=1.0),
        K.RandomPerspective(DISTORTION, p=1.0),
        # torchvision's formulas; an order of its own for every call would be slower.
        K.ColorJitter(CHANGE, CHANGE, CHANGE, TURNS, p=1.0, order=(0, 1, 2, 3)),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )
    return lambda raw: steps(raw.float() / 255)


def torchvision() -> Callable[[Tensor], Tensor]:
    """Each sample by itself, for a call has one draw for all that it is handed."""
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
    """Print images per second for both batches, and by how much ours are more."""
    keep_freed_memory()  # as in a run; it serves all three
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
