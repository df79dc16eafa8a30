"""Read files of tensors that may come from anyone: no code in them runs, and no more is read than their size allows."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from firstlight.files import cannot_read

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
_FIX = "get it again, or save network.state_dict() instead of the network."
_MAX_HEADER = 2**24  # bytes of names and shapes; a network of 10,000 tensors needs 1 MB


class _RefusedError(ValueError):
    """A file that a check of ours refuses. Its message is for the user."""


def read_pickle(path: Path, name: str = "", fix: str = _FIX) -> Any:
    """Return what `torch.save` has written: tensors and plain Python values, on the CPU.

    Args:
        path: the file.
        name: how messages begin; by default the path.
        fix: what the user can do about a damaged file.

    Raises:
        ValueError: the file does not exist, is damaged, or contains anything else. The message omits torch's advice,
            which is to run the code in the file.
    """
    _check_exists(path, name)
    try:
        _check_archive(path)
        with warnings.catch_warnings():  # torch warns about files that it did not write itself
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and hostile files raise almost any exception
        raise _damaged(path, name, error, fix) from error


def read_safetensors(path: Path, name: str = "") -> dict[str, Tensor]:
    """Return the tensors in a `.safetensors` file; see `read_pickle`."""
    _check_exists(path, name)
    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > _MAX_HEADER:
                raise _RefusedError("the header is too large")
        return load_file(path)
    except Exception as error:  # damaged and hostile files raise almost any exception
        raise _damaged(path, name, error) from error


def _check_archive(path: Path) -> None:
    """Check the zip archive that `torch.save` writes: it is not compressed, and most of it are tensors.

    torch writes the CRC-32 of each record and does not compare it when it reads the record, so that is done here.
    """
    if not zipfile.is_zipfile(path):  # the format before torch 1.6
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise _RefusedError("the archive is compressed")
    if any(member.file_size > _MAX_HEADER for member in members if member.filename.endswith(".pkl")):
        raise _RefusedError("the pickle is too large")
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise _RefusedError(f"the checksum of its record {damaged} is wrong")


def _check_exists(path: Path, name: str) -> None:
    if not path.is_file():
        raise cannot_read(name or path, "the file does not exist", f"name an existing file ({', '.join(SUFFIXES)}).")


def _damaged(path: Path, name: str, error: Exception, fix: str = _FIX) -> ValueError:
    """Return the error for a damaged file."""
    with path.open("rb") as file:
        is_page = file.read(64).lstrip()[:1] == b"<"
    if is_page:
        return cannot_read(name or path, "it is a web page", "download the file that the page links to.")
    if isinstance(error, _RefusedError):
        why = str(error)
    elif isinstance(error, OSError):
        why = error.strerror or str(error)
    else:
        why = f"damaged, or it contains more than tensors: {type(error).__name__}"
    return cannot_read(name or path, why, fix)
