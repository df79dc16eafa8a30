"""From the stored shape of an image back to its own: boxes in the pixels of the upright original."""

from pathlib import Path

from PIL import ExifTags, Image

from firstlight.data.files.formats import open_image
from firstlight.data.images.frame import layout
from firstlight.spec import DataSpec
from firstlight.tasks.objects.found import EDGES, Boxes

_SIDEWAYS = (5, 6, 7, 8)  # orientations of EXIF whose images lie on their side in the file


def size_in_file(path: Path, content: bytes | None = None) -> tuple[int, int]:
    """Return the width and height of the image in a file, which can be read; see `upright_size`.

    Args:
        path: path of the file.
        content: content of the file; None reads the header of the file at `path`.
    """
    with open_image(path, content) as image:
        return upright_size(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height of an opened image after the rotation by its EXIF orientation."""
    try:
        is_sideways = image.getexif().get(ExifTags.Base.Orientation, 1) in _SIDEWAYS
    except Exception:  # damaged metadata raise almost any error, and the pixels are good
        is_sideways = False
    return (image.height, image.width) if is_sideways else image.size


def place(boxes: Boxes, size: tuple[int, int], spec: DataSpec) -> None:
    """Change boxes in the pixels of a stored image to those of its upright original, in place.

    They are cut at the edges of the original: images that are padded have none beside it.

    Args:
        boxes: the boxes.
        size: width and height of the upright original.
        spec: the data, which says how images are fitted to the stored shape.
    """
    height, width = spec.stored_shape[1:]
    part, (left, top, inner_width, inner_height) = layout(size, (height, width), spec.fit)
    scale = (part[2] - part[0]) / inner_width, (part[3] - part[1]) / inner_height
    for box in boxes:
        for number, name in enumerate(EDGES):
            axis = number % 2
            edge = part[axis] + (box[name] - (left, top)[axis]) * scale[axis]
            box[name] = round(min(max(edge, 0.0), float(size[axis])), 2)
