"""Read the checkpoints of runs."""

from pathlib import Path
from typing import Any

from firstlight.transfer.tensor_files import read_pickle

_FIXES = {
    "best": "use checkpoint=last, or restore the file from a copy.",
    "last": "copy best.ckpt over it, with which a resumed run continues after its best epoch.",
}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint: tensors and plain Python values, on the CPU.

    Raises:
        ValueError: see `read_pickle`.
    """
    checkpoint: dict[str, Any] = read_pickle(path, fix=_FIXES.get(path.stem, "restore the file from a copy."))
    return checkpoint
