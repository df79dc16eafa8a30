"""Which parts of a network learn, and when."""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from firstlight.config.transfer import Transfer
from firstlight.transfer.head import head_name

# A backbone that falls into fewer parts is looked at more closely.
_FEW = 4


def stages(network: nn.Module) -> list[list[nn.Module]]:
    """The parts of a network in their order, its head as the last.

    A part is what follows each other at the top of the network: a convolution with the normalisation behind it, a
    sequence of blocks; or each of its blocks, where there are fewer than four parts otherwise.

    Raises:
        ValueError: it does not end in a dense layer.
    """
    head = head_name(network)
    if head is None:
        raise ValueError(f"model.freeze: {type(network).__name__} does not end in a dense layer.")
    found = _grouped(_parts(network, head, deep=False))
    if len(found) < _FEW:
        found = _grouped(_parts(network, head, deep=True))
    return [*found, [network.get_submodule(head)]]


def _parts(network: nn.Module, head: str, *, deep: bool, path: str = "") -> Iterator[nn.Module]:
    """What stands before the head; what the head is in is opened, and where `deep` every sequence."""
    for name, child in network.named_children():
        whole = f"{path}{name}"
        if whole == head:
            continue
        if head.startswith(f"{whole}.") or (deep and isinstance(child, nn.Sequential)):
            yield from _parts(child, head, deep=deep and not isinstance(child, nn.Sequential), path=f"{whole}.")
        else:
            yield child


def _grouped(parts: Iterator[nn.Module]) -> list[list[nn.Module]]:
    """A part begins with a matrix of weights; what has none goes with the one before."""
    found: list[list[nn.Module]] = []
    for part in parts:
        if any(parameter.ndim > 1 for parameter in part.parameters()) or not found:
            found.append([])
        found[-1].append(part)
    return found


class Freezing:
    """Keeps parts of a network as they are, by the epoch.

    What is frozen has no gradients, and is in the mode of evaluation: batch normalisation keeps its statistics, and
    nothing is dropped.

    Args:
        network: ends in a dense layer, where anything is asked of it.
        transfer: what is asked.

    Raises:
        ValueError: it does not end so.
    """

    def __init__(self, network: nn.Module, transfer: Transfer) -> None:
        self.network = network
        self.transfer = transfer
        self.stages = stages(network) if transfer.freeze or transfer.lr_decay != 1 else []
        self.head_name = head_name(network) or ""
        self._frozen: list[nn.Module] = []
        if self.always_frozen:  # at once: several processes wait only for the gradients that they know of now
            self.begin_epoch(0)
        self.keep_modes()

    @property
    def head(self) -> nn.Module:
        """The last part."""
        return self.network.get_submodule(self.head_name)

    @property
    def always_frozen(self) -> bool:
        """Whether the backbone never learns."""
        return self.transfer.freeze is not None and not self.unfreezes_later

    @property
    def unfreezes_later(self) -> bool:
        """Whether the backbone learns, but not from the beginning."""
        return self.transfer.unfreeze_at_epoch is not None

    def num_frozen(self, epoch: int) -> int:
        """Stages that are frozen in an epoch, counted from 0."""
        begin, every = self.transfer.unfreeze_at_epoch, self.transfer.unfreeze_every
        if self.transfer.freeze is None:
            return 0
        if begin is None or epoch + 1 < begin:
            return len(self.stages) - 1
        return 0 if every is None else max(0, len(self.stages) - 2 - (epoch + 1 - begin) // every)

    def begin_epoch(self, epoch: int) -> None:
        """Freeze what is to be frozen in an epoch, counted from 0."""
        num_frozen = self.num_frozen(epoch)
        self._frozen = [part for stage in self.stages[:num_frozen] for part in stage]
        self.network.requires_grad_(not num_frozen)  # parameters of no stage stand before the first one
        for part in (part for stage in self.stages[num_frozen:] for part in stage):
            part.requires_grad_(True)
        self.network.train(self.network.training)  # what thaws, with the rest
        self.keep_modes()

    def keep_modes(self) -> None:
        """Frozen parts stay in the mode of evaluation, whatever mode the network was put into."""
        for part in self._frozen:
            part.eval()
        if self.transfer.uses_stored_statistics:
            for layer in self.network.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()

    def parameters(self, lr: float | None) -> list[nn.Parameter] | list[dict[str, Any]]:
        """All that ever learns, as optimizers take it: by stage, where each has a learning rate of its own.

        Args:
            lr: of the head.

        Raises:
            ValueError: the rates are to fall with the stages, and there is none to begin with.
        """
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        if self.transfer.lr_decay == 1:
            return learning
        if lr is None:
            raise ValueError("model.lr_decay: a share of optimizer.lr, which has to be set.")
        place = {id(p): number for number, stage in enumerate(self.stages) for part in stage for p in part.parameters()}
        by_stage: list[list[nn.Parameter]] = [[] for _ in self.stages]
        for parameter in learning:
            by_stage[place.get(id(parameter), 0)].append(parameter)
        last = len(self.stages) - 1
        return [
            {"params": members, "lr": lr * self.transfer.lr_decay ** (last - number)}
            for number, members in enumerate(by_stage)
            if members
        ]
