"""Annotations of Pascal VOC: an XML file for each image (Everingham et al. 2010)."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from firstlight.data.annotations.objects import Annotated
from firstlight.files import cannot_read, read_bounded

_MAX_BYTES = 2**24
_FIX = "write it as Pascal VOC does, with <object>, <name> and <bndbox>."


def read_voc(path: Path, content: bytes | None = None) -> Annotated:
    """Return the objects in an XML file.

    VOC counts pixels from 1, and `xmax` is the last pixel of an object: `xmin` 1 and `xmax` 10 are 10 pixels from the
    left edge.

    Args:
        path: the file.
        content: its content, for a file in an archive; None reads it.

    Raises:
        ValueError: the file has another form.
    """
    content = read_bounded(path, _MAX_BYTES, _FIX) if content is None else content
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # entities may grow without bound
        raise cannot_read(path, "it defines types or entities of its own", _FIX)
    try:
        root = ElementTree.fromstring(content)
        objects = root.findall("object")
        names = tuple(_text(found, "name").strip() for found in objects)
        edges = [
            [float(_text(found, f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")] for found in objects
        ]
        size = (int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise cannot_read(path, str(error), _FIX) from error
    return Annotated(
        str(path), size if min(size) > 0 else None, names, np.array(edges).reshape(-1, 4) - np.array([1, 1, 0, 0])
    )


def _text(found: ElementTree.Element, key: str) -> str:
    text = found.findtext(key)
    if not text:
        raise ValueError(f"an object has no {key}")
    return text
