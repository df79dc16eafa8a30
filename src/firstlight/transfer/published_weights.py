"""Downloads published files of weights into the cache folder of torch.hub."""

import re
from pathlib import Path

import torch

from firstlight.data.files.download import download, is_whole
from firstlight.transfer.pretrained import OFFLINE


def fetch(url: str) -> Path:
    """Return the path of a published file in the cache of torch.hub; download it first if it is missing.

    Args:
        url: address of the file, whose name ends in `-` and the first digits of its SHA-256, as in torch.hub.

    Raises:
        ValueError: the name has no checksum, the server cannot be reached, or the file does not match its checksum.
    """
    folder, _, name = url.rpartition("/")
    digits = re.search(r"-([0-9a-f]{8,})\.", name)
    if digits is None:
        raise ValueError(
            f"{url}: cannot read (no checksum in its name). To fix: download it and set model.weights to its path."
        )
    checksum, path = f"sha256:{digits[1]}", Path(torch.hub.get_dir(), "checkpoints", name)
    download({name: checksum}, f"{folder}/", path.parent, OFFLINE)
    if not is_whole(path, checksum):
        raise ValueError(
            f"{path}: cannot read (its checksum is not {checksum}). To fix: delete it; the next run downloads it again."
        )
    return path
