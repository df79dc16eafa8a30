"""Images in a folder for each class, read in batches for a network that knows these classes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from firstlight.data.almost import almost
from firstlight.data.files.layout import label
from firstlight.data.files.litter import is_litter
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.images.read_ahead import read_ahead
from firstlight.data.images.reading import images_in, refuse_decompression_bombs
from firstlight.files import cannot_read
from firstlight.spec import DataSpec


class ClassFolders:
    """Yields batches of all images in `folder`/CLASS, raw images and classes, without a store.

    Args:
        folder: the folder of the class folders. A class of the spec may be missing.
        spec: the spec of a run, whose labels are the names of the folders.
        batch_size: images that are read at a time.
        max_pixels: see `read_image`.

    Attributes:
        problems: a message for each image that could not be read and was left out.
        files: the image files that have been read, in order.

    Raises:
        ValueError: a folder is not the name of a class, or there are no images.
    """

    def __init__(self, folder: Path, spec: DataSpec, batch_size: int, max_pixels: int = MAX_PIXELS) -> None:
        self.max_pixels = max_pixels
        self.spec = spec
        self.batch_size = batch_size
        self.problems: list[str] = []
        self.files: list[Path] = []
        names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_litter(path.name))
        known = ", ".join(spec.labels[:5]) + (", …" if len(spec.labels) > 5 else "")
        if new := [name for name in names if label(name) not in spec.labels]:
            fix = f"name the folders as the classes of the run ({known}), or remove this one."
            why = f"the run has no class of this name{almost(label(new[0]), spec.labels)}"
            raise cannot_read(folder / new[0], why, fix)
        self.targets = {path: spec.labels.index(label(name)) for name in names for path in images_in(folder / name)}
        if not self.targets:
            raise cannot_read(
                folder, "no class folder contains an image", f"arrange the images as CLASS/image.jpg ({known})."
            )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.files = []
        yield from self._read(list(self.targets))

    def take(self, places: Tensor) -> Tensor:
        """Return the images (samples, channels, height, width) at these places in `files` (samples,) once more."""
        read = list(self.files)
        images = [images for images, _ in self._read([read[place] for place in places.tolist()])]
        self.files = read
        return torch.cat(images)

    def _read(self, files: list[Path]) -> Iterator[tuple[Tensor, Tensor]]:
        spec = self.spec
        with refuse_decompression_bombs(self.max_pixels), ThreadPoolExecutor() as pool:
            found = read_ahead(
                pool,
                files,
                spec.stored_shape,
                self.batch_size,
                self.problems,
                fit=spec.fit,
                max_pixels=self.max_pixels,
            )
            for paths, images in found:
                self.files += paths
                yield images, torch.tensor([self.targets[path] for path in paths])
