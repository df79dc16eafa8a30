"""How the numbers of a run are computed: `compile`, `channels_last` and `deterministic`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from firstlight.config import RunConfig
from firstlight.networks.network import completed
from firstlight.tasks import Task


def arrange(config: RunConfig, task: Task | None) -> None:
    """Check that the settings fit what is trained, and lay out the weights in memory as `channels_last` says.

    `build_task` returns a network whose convolutions have the layout channels last already. Convolutions with such
    weights return feature maps of that layout, so the inputs stay as they are.

    Raises:
        ValueError: a setting does not fit.
    """
    if task is None:
        for name, value, usual in (("compile", config.compile, False), ("channels_last", config.channels_last, True)):
            if value != usual:
                raise ValueError(
                    f"{name}={str(value).lower()}: must be left out with a LightningModule, which can do it itself."
                )
    elif not config.channels_last:
        task.network.to(memory_format=torch.contiguous_format)


@contextmanager
def compiled(task: Task) -> Iterator[None]:
    """Let `torch.compile` translate the network in this block.

    The modules stay the same objects, so the names in checkpoints do not change. After the block, the network is
    computed as usual, because sizes that are used once are not worth a translation.

    Raises:
        ValueError: the network cannot be translated.
    """
    parts = _called_parts(task)
    for part in parts:
        part.compile()
    try:
        yield
    except Exception as error:
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ValueError(f"compile=true: must be false here, because torch.compile fails: {reason}") from error
        raise
    finally:
        for part in parts:
            part._compiled_call_impl = None


def _called_parts(task: Task) -> list[nn.Module]:
    """Return the modules that the task calls: the network, or its parts if the task calls methods of the network."""
    if task.reads_features:
        return [task.freezing.head]
    calls_methods = bool(task.needs) or completed(task.network).has_state
    return list(task.network.children()) if calls_methods else [task.network]


@contextmanager
def explained_determinism() -> Iterator[None]:
    """Name the setting in the error about an operation that torch cannot repeat bit for bit.

    Raises:
        ValueError: there is such an operation.
    """
    try:
        yield
    except RuntimeError as error:
        found = re.match(r"(\S+) does not have a deterministic implementation", str(error))
        if not found:
            raise
        raise ValueError(
            f"deterministic=true: must be false here, because torch cannot repeat {found[1]} bit for bit here."
        ) from error
