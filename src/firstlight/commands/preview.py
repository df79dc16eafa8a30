"""What an augmentation makes of the data, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from firstlight.data import Split
from firstlight.data.tokens import decode
from firstlight.files import output_file
from firstlight.randomness import derive, generator, reseed
from firstlight.runs.contact_sheet import check_format, contact_sheet, write_image
from firstlight.tasks.build import build_source, build_task

if TYPE_CHECKING:
    from firstlight.tasks import Task  # Lightning is imported when the augmentation has been found to be good


def preview(config: dict[str, Any], output: str, samples: int = 8, versions: int = 7) -> None:
    """Write an image: each row an original, and beside it what augmentation makes of it. A text is printed.

    Args:
        config: of a training run, see `firstlight.config.checking.config`.
        output: path of the image; its suffix says the format.
        samples: originals, drawn from the training split by the run's seed.
        versions: augmented versions of each.

    Raises:
        ValueError: parts of the config do not go together, the data holds numbers, or the image cannot be written.
    """
    if samples < 1 or versions < 1:
        raise ValueError(f"preview.samples={samples} preview.versions={versions}: one or more of each.")
    store, splits = build_source(config).splits(config["seed"])
    if store.spec.kind == "numbers":
        raise ValueError("data: there is nothing to look at in numbers.")
    target = Path(output).expanduser()
    if store.spec.kind == "images":
        check_format("preview.output", target)
    task = build_task(config, store.spec)
    if store.spec.kind == "tokens":
        return print(_texts(task, splits["train"], config["seed"], samples))
    sheet = preview_sheet(task, splits["train"], config["seed"], samples, versions)
    with output_file("preview.output", target):
        write_image(target, sheet)
    print(f"originals on the left, augmented versions beside them: {target}")
    return None


def preview_sheet(task: Task, split: Split, seed: int, samples: int = 8, versions: int = 7) -> Image.Image:
    """The image that `preview` writes."""
    raw, targets = _draw(split, seed, samples)
    raw, targets = raw.to(task.device), targets.to(task.device)
    reseed(derive(seed, "preview"), task.device)
    originals = task.preprocess(raw), targets
    batches = [originals, *(task.augment(raw, targets) for _ in range(versions))]
    images = torch.stack([task.preprocess.to_pixels(inputs) for inputs, _ in batches], 1).flatten(0, 1)
    captions = [[_caption(target, task.spec.labels) for target in made] for _, made in batches]
    return contact_sheet(images, [name for row in zip(*captions, strict=True) for name in row], columns=versions + 1)


def _draw(split: Split, seed: int, samples: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(len(split), generator=generator(seed, "preview"))
    return split.take(order[:samples].to(split.targets.device))


def _caption(target: Tensor, labels: tuple[str, ...]) -> str:
    """The class, or the two likeliest classes of a mixture with their shares, a line each; numbers as they are."""
    if target.ndim == 0:
        return labels[int(target)]
    if len(target) != len(labels) or len(labels) == 1:
        return " ".join(f"{value:g}" for value in target.tolist())
    top = target.topk(2)
    pairs = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    return "\n".join(f"{label} {value:.0%}" for label, value in pairs if value > 0.005)


def _texts(task: Task, split: Split, seed: int, samples: int) -> str:
    raw, targets = _draw(split, seed, samples)
    reseed(derive(seed, "preview"), task.device)
    changed, _ = task.augment(raw, targets)
    lines = []
    for before, after in zip(raw, changed, strict=True):
        lines += [f"original   {decode(before.tolist(), task.spec.labels)!r}"]
        lines += [f"augmented  {decode(after.tolist(), task.spec.labels)!r}", ""]
    return "\n".join(lines[:-1])
