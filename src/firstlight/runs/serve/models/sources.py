"""Where a served network comes from. Checked without torch."""

from pathlib import Path

from firstlight.files import user_path

SUFFIXES = (".onnx", ".pt2")


def check_source(run: str | Path | None, file: str | Path | None) -> None:
    """Check that either a run or an exported file is served.

    Raises:
        ValueError: neither or both are given, or the file does not exist or has another suffix.
    """
    if (run is None) == (file is None):
        raise ValueError("run: must be set, as in run=RUN, or file, as in file=model.onnx, but not both.")
    if file is not None:
        check_file(user_path(file, "file"))


def check_file(path: Path) -> None:
    """Check that an exported file exists.

    Raises:
        ValueError: it does not, or has another suffix.
    """
    if not path.is_file():
        raise ValueError(f"file={path}: must be an existing file.")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"file={path}: must end in {' or '.join(SUFFIXES)}.")
