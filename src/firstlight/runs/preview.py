"""Show samples before and after augmentation."""

import torch
from PIL import Image
from torch import Tensor

from firstlight.checks import check_range
from firstlight.config import RunConfig
from firstlight.data import Split
from firstlight.data.contact_sheet import check_format, contact_sheet, write_image
from firstlight.data.tokens import decode
from firstlight.files import output_file, user_path
from firstlight.randomness import derive, generator, reseed
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task


def preview(config: RunConfig, output: str, samples: int = 8, versions: int = 7) -> None:
    """Write an image in which each row shows a sample and augmented versions of it. Texts are printed instead.

    Args:
        config: the config of a training run.
        output: path of the image; its suffix selects the format.
        samples: number of samples, drawn from the training split with the run's seed.
        versions: number of augmented versions of each sample.

    Raises:
        ValueError: the config is wrong, the data is a table, or the image cannot be written.
    """
    check_range("preview.samples", samples, at_least=1)
    check_range("preview.versions", versions, at_least=1)
    store, splits = build_source(config).splits(config.seed)
    for remark in store.remarks:
        print(remark)
    if store.spec.kind == "numbers":
        raise ValueError("data: must be images or text, because a preview cannot show tables.")
    target = user_path(output)
    if store.spec.kind == "images":
        check_format("preview.output", target)
    task = build_task(config, store.spec)
    if store.spec.kind == "tokens":
        return print(_texts(task, splits["train"], config.seed, samples))
    sheet = augmentation_sheet(task, splits["train"], config.seed, samples, versions)
    with output_file("preview.output", target):
        write_image(target, sheet)
    print(f"samples on the left, augmented versions to the right: {target}")
    return None


def augmentation_sheet(task: Task, split: Split, seed: int, samples: int = 8, versions: int = 7) -> Image.Image:
    """Return the image that `preview` writes.

    Args:
        task: the task, with its augmentation.
        split: the split that the samples are drawn from.
        seed: the seed of the random draws.
        samples: number of rows.
        versions: number of augmented versions in each row.
    """
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
    """Return the class, the two largest classes of a mixture with their fractions, or the target numbers."""
    if target.ndim == 0:
        return labels[int(target)]
    if len(target) != len(labels) or len(labels) == 1:
        return " ".join(f"{value:g}" for value in target.tolist())
    top = target.topk(2)
    pairs = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    return "\n".join(f"{label} {value:.0%}" for label, value in pairs if value > 0.005)


def _texts(task: Task, split: Split, seed: int, samples: int) -> str:
    """Return samples as texts, before and after the augmentation."""
    raw, targets = _draw(split, seed, samples)
    reseed(derive(seed, "preview"), task.device)
    changed, _ = task.augment(raw, targets)
    lines = []
    for before, after in zip(raw, changed, strict=True):
        lines += [f"original   {decode(before.tolist(), task.spec.labels)!r}"]
        lines += [f"augmented  {decode(after.tolist(), task.spec.labels)!r}", ""]
    return "\n".join(lines[:-1])
