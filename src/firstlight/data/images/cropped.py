"""Report images of which a square crop shows a small part."""

from collections.abc import Sequence
from pathlib import Path

from firstlight.data.files.formats import open_image
from firstlight.data.images.reading import refuse_decompression_bombs

_SAMPLE = 1000  # images whose size is read
_HALF = 2.0  # of a longer image, a square shows less than half


def cropped(paths: Sequence[Path]) -> list[str]:
    """Return a line if images are more than twice as long as wide, or as wide as long; otherwise an empty list.

    Only the headers of the files are read, and of at most a thousand files, which takes a tenth of a second.
    """
    step = -(-len(paths) // _SAMPLE) or 1
    sample = paths[::step]
    with refuse_decompression_bombs(1 << 62):
        number = sum(_ratio(path) > _HALF for path in sample)
    if not number:
        return []
    what = f"{number:,} of {len(sample):,} images" if step == 1 else f"about {number / len(sample):.0%} of the images"
    verb = "is" if number == 1 and step == 1 else "are"
    return [f"{what} {verb} cropped by more than half; data.fit=pad keeps them whole"]


def _ratio(path: Path) -> float:
    """Return the longer side of an image divided by the shorter; 0 for a damaged file, which is reported later."""
    try:
        with open_image(path) as image:
            return max(image.size) / min(image.size)
    except Exception:  # damaged files raise almost any exception
        return 0.0
