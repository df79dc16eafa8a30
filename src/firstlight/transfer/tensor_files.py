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
_MAX_HEADER = 2**24  # bytes of names and shapes; a network of 10,000 tensors needs 1 MB


def read_pickle(path: Path, name: str = "") -> Any:
    """Return what `torch.save` has written: tensors and plain Python values.

    Args:
        path: the file.
        name: how messages begin; by default the path.

    Raises:
        ValueError: the file does not exist, is damaged, or contains anything else.
    """
    _check_exists(path, name)
    try:
        _check_archive(path)
        with warnings.catch_warnings():  # torch warns about files that it did not write itself
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and hostile files raise almost any exception
        raise _damaged(path, name, error) from error


def read_safetensors(path: Path, name: str = "") -> dict[str, Tensor]:
    """Return the tensors in a `.safetensors` file; see `read_pickle`."""
    _check_exists(path, name)
    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > _MAX_HEADER:
                raise ValueError("the header is too large")
        return load_file(path)
    except Exception as error:  # damaged and hostile files raise almost any exception
        raise _damaged(path, name, error) from error


def _check_archive(path: Path) -> None:
    """Check the sizes in the zip archive that `torch.save` writes: it is not compressed, and most of it are tensors."""
    if not zipfile.is_zipfile(path):  # the format before torch 1.6
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError("the archive is compressed")
    if any(member.file_size > _MAX_HEADER for member in members if member.filename.endswith(".pkl")):
        raise ValueError("the pickle is too large")


def _check_exists(path: Path, name: str) -> None:
    if not path.is_file():
        raise cannot_read(name or path, "the file does not exist", f"name an existing file ({', '.join(SUFFIXES)}).")


def _damaged(path: Path, name: str, error: Exception) -> ValueError:
    """Return the error for a damaged file. It omits torch's message, which explains how to run code from the file."""
    with path.open("rb") as file:
        is_page = file.read(64).lstrip()[:1] == b"<"
    if is_page:
        return cannot_read(name or path, "it is a web page", "download the file that the page links to.")
    why = f"damaged, or it contains more than tensors: {type(error).__name__}"
    return cannot_read(name or path, why, "get it again, or save network.state_dict() instead of the network.")
