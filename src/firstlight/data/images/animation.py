"""Animations: frames that are shown one after another, written to one file."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from firstlight.files import atomic_write

FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}


@dataclass(frozen=True)
class Animation:
    """Frames, and how long each is shown.

    Attributes:
        frames: (frames, height, width, 3), uint8.
        milliseconds: time of each frame.
        caption: what the frames show, in one line.
    """

    frames: Tensor
    milliseconds: int
    caption: str


def check_animation_format(key: str, path: Path) -> None:
    """Check that an animation can be written to a path, by its suffix.

    Raises:
        ValueError: the suffix is not among `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{key}={path}: must end in one of {', '.join(FORMATS)}.")


def write_animation(path: Path, animation: Animation) -> None:
    """Write an animation to `path` atomically, in the format of its suffix. It repeats for ever."""
    first, *others = (Image.fromarray(frame.numpy()) for frame in animation.frames)
    options = {"save_all": True, "append_images": others, "duration": animation.milliseconds, "loop": 0}
    with atomic_write(path) as file:
        first.save(file, FORMATS[path.suffix.lower()], **options)
