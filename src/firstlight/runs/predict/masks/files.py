"""Write the mask of each image, and the image under its mask."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from firstlight.data.files.formats import open_image
from firstlight.data.images.convert import convert
from firstlight.data.images.memory import BUDGET, decoding_bytes
from firstlight.data.images.overlay import overlay_mask
from firstlight.data.images.reading import fit_image
from firstlight.files import atomic_write, output_file, user_path
from firstlight.runs.predict.images import ImageInputs
from firstlight.runs.predict.inputs import Inputs
from firstlight.runs.predict.masks.windows import mask_of
from firstlight.tasks import Segmentation, Task
from firstlight.tasks.segmentation.overlay import palette


class MaskFiles:
    """Writes masks and overlays of images as PNG files, in the size of each image as it is shown.

    A mask is a palette image: the number of each pixel is that of its class, and programs show it in the colour of the
    class. An overlay is the image in these colours. Both have the path of the image inside its folder, with the suffix
    .png; images that differ in their suffix alone keep it: photo.jpg.png.

    Args:
        masks: the folder of the masks; None to write none.
        overlays: the folder of the overlays; None to write none.

    Raises:
        ValueError: a folder is a file, or both are the same.
    """

    def __init__(self, masks: str | Path | None, overlays: str | Path | None) -> None:
        given = {"masks": masks, "overlays": overlays}
        self._names: dict[Path, Path] = {}
        self.folders = {key: user_path(path, f"predict.{key}") for key, path in given.items() if path is not None}
        for key, folder in self.folders.items():
            if folder.exists() and not folder.is_dir():
                raise ValueError(f"predict.{key}={folder}: must be a folder, not a file.")
        if len(set(self.folders.values())) < len(self.folders):
            raise ValueError(f"predict.overlays={overlays}: must be another folder than predict.masks.")

    def __bool__(self) -> bool:
        return bool(self.folders)

    def check_task(self, task: Task) -> None:
        """Check that a task predicts masks.

        Raises:
            ValueError: it does not.
        """
        if self.folders and not isinstance(task, Segmentation):
            key, folder = next(iter(self.folders.items()))
            raise ValueError(
                f"predict.{key}={folder}: must be null with task={task.task_name}, which predicts no masks."
            )

    def check_inputs(self, inputs: Inputs, source: Path) -> None:
        """Check that no file will be written among the images, where the next prediction would find it.

        Args:
            inputs: the inputs of the prediction.
            source: the image, or the folder.

        Raises:
            ValueError: one would, or the inputs are no files.
        """
        if not self.folders:
            return
        assert isinstance(inputs, ImageInputs)
        root = (source if source.is_dir() else source.parent).resolve()
        for key, folder in self.folders.items():
            inside = folder.resolve()
            if inside == root or (source.is_dir() and inside.is_relative_to(root)):
                raise ValueError(f"predict.{key}={folder}: must be a folder outside of {root}, where the images are.")
        relative = {path: path.resolve().relative_to(root) for path in inputs.paths}
        stems = Counter(path.with_suffix("") for path in relative.values())
        self._names = {
            path: name.with_suffix("") if stems[name.with_suffix("")] == 1 else name for path, name in relative.items()
        }

    def write(self, task: Segmentation, inputs: ImageInputs, path: Path) -> None:
        """Write the files of an image.

        Raises:
            ValueError: a file cannot be written.
        """
        with open_image(path) as opened:
            mode = "L" if task.spec.stored_shape[0] == 1 else "RGB"
            with BUDGET.take(decoding_bytes(opened, opened.size, mode, inputs.max_pixels)):
                image = convert(_upright(opened), mode, 1)
                stored = fit_image(image, task.spec.stored_shape, inputs.interpolation, task.spec.fit)
                inverted = bool(inputs.inverted(stored[None])[0])
                mask = mask_of(task, image, inputs.interpolation, inverted=inverted)
                self._save("masks", path, lambda: _as_image(mask, task.spec.num_outputs))
                self._save("overlays", path, lambda: overlay_mask(image, mask, task.spec.num_outputs))

    def _save(self, key: str, path: Path, draw: Callable[[], Image.Image]) -> None:
        if key not in self.folders:
            return
        name = self._names[path]
        target = self.folders[key] / name.with_name(f"{name.name}.png")
        with output_file(f"predict.{key}", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target) as file:
                draw().save(file, "png")


def _upright(image: Image.Image) -> Image.Image:
    """Return an image turned by its EXIF orientation; as it is if EXIF is damaged."""
    with suppress(Exception):  # damaged metadata raise almost any error, and the pixels are good
        return ImageOps.exif_transpose(image)
    return image


def _as_image(mask: np.ndarray, num_classes: int) -> Image.Image:
    image = Image.fromarray(mask)
    image.putpalette(bytes(channel for colour in palette(num_classes) for channel in colour))
    return image
