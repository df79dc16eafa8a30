"""Look at a task without changing its training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from firstlight.tasks import Task


@contextmanager
def undisturbed(task: Task) -> Iterator[None]:
    """Put a task into evaluation mode without gradients. Afterwards its modes and all random generators are as before.

    Args:
        task: its `stream_state` is kept too.
    """
    modes = [(module, module.training) for module in task.modules()]
    stream, device = task.stream_state, task.device
    is_cuda = device.type == "cuda"
    try:
        with torch.random.fork_rng([device] if is_cuda else [], device_type="cuda"), torch.no_grad():
            task.eval()
            yield
    finally:
        task.stream_state = stream
        for module, mode in modes:
            module.training = mode
