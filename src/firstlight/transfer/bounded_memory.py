"""Bound the memory of a network that a config of unknown origin describes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# A network may have more tensors than its checkpoint: tables of positions, masks, weights before they are converted.
_FACTOR = 4
_FREE = 2**28  # bytes that any network may have


@contextmanager
def bounded_by(checkpoint: Path) -> Iterator[None]:
    """Let the block create tensors of about the size of a checkpoint, and no more.

    Raises:
        ValueError: the block asks for more, before the memory is used. The checkpoint cannot be that of the network.
    """
    size = checkpoint.stat().st_size
    with _Bounded(_FACTOR * size + _FREE, f"must have the weights in {checkpoint.name}, {size / 1e6:,.1f} MB"):
        yield


class _Bounded(TorchDispatchMode):
    """Adds up the sizes of new tensors (`torch.empty`, `torch.arange`, ...), and refuses one that is too many."""

    def __init__(self, limit: int, what: str) -> None:
        super().__init__()
        self.limit = limit
        self.what = what
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would wrap the method below, and the wrapper imports the compiler for a second."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        options = {argument.name for argument in func._schema.arguments}
        if "device" in options and func is not torch.ops.aten._to_copy.default:
            on_meta = {"device": torch.device("meta"), "pin_memory": None, "generator": None}  # takes no memory
            self._add(func(*args, **kwargs | {key: value for key, value in on_meta.items() if key in options}))
        return func(*args, **kwargs)

    def _add(self, made: Any) -> None:
        self.total += math.prod(made.shape) * made.element_size()
        if self.total > self.limit:
            raise ValueError(f"{self.what}, and its config asks for more than {self.total / 1e9:,.1f} GB.")
