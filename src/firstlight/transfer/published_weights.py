"""Files of weights that others have published: downloaded once, and kept where torch.hub keeps its own."""

import re
from pathlib import Path

import torch

from firstlight.data.download import download, is_whole
from firstlight.transfer.pretrained import OFFLINE


def fetch(url: str) -> Path:
    """A file on this machine, from the folder of torch.hub or from the web.

    Args:
        url: its name ends in `-` and the first digits of its SHA-256, as torch.hub has it.

    Raises:
        ValueError: no connection, or what came is not the file, or the one that is there is not.
    """
    folder, _, name = url.rpartition("/")
    digits = re.search(r"-([0-9a-f]{8,})\.", name)
    if digits is None:
        raise ValueError(f"{url}: no checksum in its name; download it yourself, and take model.weights=<the file>.")
    checksum, path = f"sha256:{digits[1]}", Path(torch.hub.get_dir(), "checkpoints", name)
    download({name: checksum}, f"{folder}/", path.parent, OFFLINE)
    if not is_whole(path, checksum):
        raise ValueError(f"{path}: damaged, its checksum is not {checksum}. Delete it, and it is downloaded again.")
    return path
