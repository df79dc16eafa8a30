"""Texts in any common encoding."""

import codecs
import re
from pathlib import Path

from firstlight.files.compressed import compression_of, open_unpacked
from firstlight.files.errors import cannot_read

# The longer marks come first, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# The encodings of Windows, of older Macs and of East Asia, from which one is detected. If several fit equally well, it
# is the first of them.
_ENCODINGS = [
    *("cp1252", "iso8859_2", "cp1250", "cp1251", "cp1254", "cp1253", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("gb18030", "cp932", "euc_jp", "cp949", "cp950", "cp874", "koi8_r", "mac_roman"),
]
# What the first bytes of a file that is no text say about it. Files of most of these kinds also contain NUL bytes. A
# short one may have none, and then looks like letters of another alphabet.
_MAGIC = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG\r\n": "a PNG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"%PDF-": "a PDF file",
    b"\xd0\xcf\x11\xe0": "a file of an old version of Office",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"7z\xbc\xaf'\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "a gzip file",
    b"\xfd7zXZ\0": "an xz file",
    b"(\xb5/\xfd": "a Zstandard file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
    b"\x7fELF": "a program",
    b"ID3\x03": "an MP3 file",
    b"ID3\x04": "an MP3 file",
    b"OggS\0": "an Ogg file",
}
# The same for marks that do not come first.
_LATER_MAGIC = {
    (8, b"WEBP"): "a WebP image",
    (8, b"WAVEfmt"): "a WAV file",
    (4, b"ftyp"): "a video, or a HEIC or AVIF image",
    (257, b"ustar"): "a tar archive",
}
_NO_TEXT = "name a text file, or remove this one from its folder."
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_MAX_UNPACKED = 1_000_000_000  # bytes
_SAMPLE = 2**20  # bytes from which the encoding is detected


def read_text(
    path: Path, remarks: list[str] | None = None, at_most: int = _MAX_UNPACKED, fix: str = "use a smaller file."
) -> str:
    """Return the text of a file in any common encoding, with "\\n" as its only line end.

    A byte order mark decides the encoding. Without one, it is UTF-8 or, if that is impossible, detected. A compressed
    file is unpacked, see `open_unpacked`.

    Args:
        path: the file.
        remarks: list that receives lines about a compressed file, a detected encoding, and other line ends.
        at_most: the largest number of bytes of a file that was compressed; no more are unpacked.
        fix: what the user can do about a file that is larger.

    Raises:
        ValueError: the file cannot be read, is binary, or is a damaged text; the message names the file and the byte.
    """
    try:
        kind = compression_of(path)
        with open_unpacked(path) as file:
            content = file.read() if kind is None else file.read(at_most + 1)
    except OSError as error:
        raise cannot_read(path, error.strerror or str(error), "name a text that can be read.") from error
    if kind and len(content) > at_most:
        raise cannot_read(path, f"more than {at_most / 1e9:g} GB when unpacked", fix)
    if kind and remarks is not None:
        remarks.append(f"{path.name}: unpacked by {kind}")
    _check_not_binary(path, content)
    encoding, origin = _find_encoding(path, content)
    try:
        text = content.decode(encoding).replace("\ufeff", "")  # joined files have marks within the text
    except UnicodeDecodeError as error:
        raise _not_text(path, error, encoding) from error
    if "\0" in text:
        raise cannot_read(path, f"it is binary: character {text.index(chr(0)):,} is NUL", _NO_TEXT)
    text, num_ends = _LINE_ENDS.subn("\n", text)
    if remarks is not None and origin:
        remarks.append(f"{path.name}: read as {encoding}, {origin}")
    if remarks is not None and num_ends:
        remarks.append(f"{path.name}: {num_ends:,} line ends of other systems (such as CR LF) read as LF")
    return text


def _check_not_binary(path: Path, content: bytes) -> None:
    """Check that a file does not begin like an image, an archive, a PDF file, or another file that is no text.

    Raises:
        ValueError: it does.
    """
    kinds = [kind for magic, kind in _MAGIC.items() if content.startswith(magic)]
    kinds += [kind for (place, magic), kind in _LATER_MAGIC.items() if content.startswith(magic, place)]
    # A sentence may have one of the later marks at its place, but none of the bytes that a binary file has before it.
    if kinds and (content.startswith(tuple(_MAGIC)) or re.search(rb"[\0-\x08\x0e-\x1f]", content[:300])):
        raise cannot_read(path, f"it is binary: {kinds[0]}", _NO_TEXT)


def _find_encoding(path: Path, content: bytes) -> tuple[str, str]:
    """Return the encoding of a text and how it is known; this is empty for UTF-8."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding, "" if encoding == "utf-8" else "which its byte order mark names"
    if b"\0" in content:
        zeros = [content[start::2].count(0) / len(content) for start in (0, 1)]
        wide = "utf-16-le" if zeros[1] > 0.25 else "utf-16-be"  # every second byte of Latin letters is 0
        if max(zeros) > 0.25 and min(zeros) < 0.01:
            return wide, "which its zero bytes suggest"
        raise cannot_read(path, f"it is binary: byte {content.index(0):,} is NUL", _NO_TEXT)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        detected = None if _is_damaged(content) else _detect_encoding(content)
        if detected is None:
            raise _not_text(path, error, "UTF-8") from error
        return detected, "which was detected; if this is wrong, save the text as UTF-8"
    return "utf-8", ""


def _is_damaged(content: bytes) -> bool:
    """Return whether half of the characters beyond ASCII are UTF-8, so that the text was in UTF-8 before its damage."""
    text = content.decode(errors="replace")
    num_bad = text.count("\ufffd")
    return 0 < num_bad <= sum(map(len, re.findall("[^\0-\x7f\ufffd]+", text)))


def _detect_encoding(content: bytes) -> str | None:
    """Return the encoding that fits best to the lines beyond ASCII; None if the content is not a text."""
    from charset_normalizer import from_bytes  # takes a tenth of a second to import

    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_SAMPLE]
    matches = list(from_bytes(lines, cp_isolation=_ENCODINGS, enable_fallback=False))
    best = [match for match in matches if match.chaos < matches[0].chaos + 0.01]
    best = [match for match in best if match.coherence > best[0].coherence - 0.02]
    found = {name for match in best for name in match.could_be_from_charset}
    if not matches and len(content.decode("ascii", "ignore")) > 0.75 * len(content):  # too few letters to detect
        found = {"cp1252"}
    return next((name for name in _ENCODINGS if name in found and _is_text(content, name)), None)


def _is_text(content: bytes, encoding: str) -> bool:
    try:
        return not re.search("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]", content.decode(encoding))
    except UnicodeDecodeError:
        return False


def _not_text(path: Path, error: UnicodeDecodeError, encoding: str) -> ValueError:
    why = f"byte {error.start} is 0x{error.object[error.start]:02x}, which is not {encoding}: {error.reason}"
    return cannot_read(path, why, "save the text as UTF-8.")
