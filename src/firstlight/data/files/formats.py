"""The formats of image files, and how to open them without decoding their pixels."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from firstlight.files import cannot_read

# Other formats are not read: Pillow passes EPS to a program that executes it. The formats after PPM come last, because
# Pillow imports all of its plugins to read them.
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "PPM", "WEBP", "TIFF", "JPEG2000", "AVIF")
_HEIF = (".heic", ".heif", ".heics", ".heifs", ".hif")
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpeg2000", ".avif", ".avifs", *_HEIF),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class UnreadableError(Exception):
    """An image that is not damaged, but cannot be read here; the arguments say why, and how to mend it."""


def is_image_name(name: str) -> bool:
    """Return whether the suffix of a file's name is one of `SUFFIXES`, in any case."""
    return name.lower().endswith(SUFFIXES)


def open_image(path: Path, content: bytes | None = None) -> Image.Image:
    """Open an image whose format is one of `FORMATS` or HEIF, whatever its suffix; its pixels are not decoded yet.

    Args:
        path: path of the file.
        content: content of the file, for an image in an archive; None reads the file at `path`.

    Raises:
        UnreadableError: the file is a HEIF image, and the plugin for it is not installed.
        OSError: the file cannot be read, or its format is unknown. Pillow's plugins also raise other errors.
    """
    try:
        return Image.open(path if content is None else io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        if not _is_heif(path, content):
            raise
    register_heif()
    return Image.open(path if content is None else io.BytesIO(content), formats=("HEIF",))


def check_plugins(paths: list[Path]) -> None:
    """Check that the plugin for HEIF is installed if a path has a suffix of HEIF.

    Raises:
        ValueError: the plugin is missing.
    """
    heif = next((path for path in paths if path.name.lower().endswith(_HEIF)), None)
    if heif is not None:
        try:
            register_heif()
        except UnreadableError as error:
            raise cannot_read(heif, *error.args) from None


def register_heif() -> None:
    """Let Pillow read HEIF, the format of iPhones' photos.

    Raises:
        UnreadableError: pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        why = "HEIC and HEIF images need the package pillow-heif"
        raise UnreadableError(why, 'install it with pip install "firstlight[heif]", or convert them to JPEG.') from None
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False)


def _is_heif(path: Path, content: bytes | None) -> bool:
    """Return whether the first bytes are those of a HEIF image; Pillow itself reads those of AVIF."""
    if content is None:
        with path.open("rb") as file:
            content = file.read(12)
    return content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS
