"""Freezes and unfreezes parts of a network during training."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from torch import nn

from firstlight.config.options import Transfer
from firstlight.transfer.head import head_name

# With fewer stages than this, the sequences of a network are split further.
_MIN_STAGES = 4
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def stages(network: Any) -> list[list[nn.Module]]:
    """Split a network into stages, from its input to its head.

    A stage starts at each top-level layer or block that has a weight matrix. Layers without one, such as
    normalisation, belong to the stage before them. If this gives fewer than four stages, the blocks of each top-level
    `nn.Sequential` become stages.

    The stages of a named encoder, such as that of a U-Net, are those of the network that it is. All the rest is the
    head.

    Returns:
        The modules of each stage. The head is the last stage.

    Raises:
        ValueError: the network neither has a named encoder nor ends in a linear layer.
    """
    encoder = network.encoder_stages()
    if encoder is not None:
        return [*encoder, [network.get_submodule(name) for name in network.head_names]]
    head = head_name(network)
    if head is None:
        raise ValueError(
            f"model: freeze must be null and lr_decay must be 1, because {type(network).__name__} does not end in a"
            " linear layer."
        )
    found = _group(_backbone_modules(network, head, split_sequences=False))
    if len(found) < _MIN_STAGES:
        found = _group(_backbone_modules(network, head, split_sequences=True))
    return [*found, [network.get_submodule(head)]]


def _backbone_modules(network: nn.Module, head: str, *, split_sequences: bool, prefix: str = "") -> Iterator[nn.Module]:
    """Yield the modules of the backbone in order; containers of the head are split into their children."""
    for name, child in network.named_children():
        path = f"{prefix}{name}"
        is_sequence = isinstance(child, nn.Sequential)
        if path == head:
            continue
        if head.startswith(f"{path}.") or (split_sequences and is_sequence):
            split_further = split_sequences and not is_sequence
            yield from _backbone_modules(child, head, split_sequences=split_further, prefix=f"{path}.")
        else:
            yield child


def _group(modules: Iterator[nn.Module]) -> list[list[nn.Module]]:
    """Start a stage at each module with a weight matrix; add other modules to the stage before them."""
    found: list[list[nn.Module]] = []
    for module in modules:
        if any(parameter.ndim > 1 for parameter in module.parameters()) or not found:
            found.append([])
        found[-1].append(module)
    return found


class Freezing:
    """Decides in each epoch which stages of a network are frozen.

    Frozen parameters have no gradients. Frozen modules are in evaluation mode: batch normalisation keeps its
    statistics, and dropout is off.

    Args:
        network: must end in a linear layer if `transfer` sets `freeze` or `lr_decay`.
        transfer: the options of `model`.

    Attributes:
        stages: see `stages`; empty if nothing is frozen and all stages have the same learning rate.

    Raises:
        ValueError: the network does not end in a linear layer, but must.
    """

    def __init__(self, network: nn.Module, transfer: Transfer) -> None:
        self.network = network
        self.transfer = transfer
        self.stages = stages(network) if transfer.freeze or transfer.lr_decay != 1 else []
        self._frozen: list[nn.Module] = []
        if self.always_frozen:  # before DistributedDataParallel notes which parameters have gradients
            self.begin_epoch(0)
        self.keep_modes()

    @cached_property
    def head_name(self) -> str:
        """The name of the head; "" if the network does not end in a linear layer."""
        return head_name(self.network) or ""

    @property
    def head(self) -> nn.Module:
        """The last layer, or the whole network if it does not end in a linear layer."""
        return self.network.get_submodule(self.head_name)

    @property
    def always_frozen(self) -> bool:
        """Whether the backbone stays frozen in all epochs."""
        return self.transfer.freeze is not None and not self.unfreezes_later

    @property
    def unfreezes_later(self) -> bool:
        """Whether the backbone is frozen first and unfrozen in a later epoch."""
        return self.transfer.unfreeze_at_epoch is not None

    def num_frozen(self, epoch: int) -> int:
        """Return the number of frozen stages in an epoch, counted from 0."""
        begin, every = self.transfer.unfreeze_at_epoch, self.transfer.unfreeze_every
        if self.transfer.freeze is None:
            return 0
        if begin is None or epoch + 1 < begin:
            return len(self.stages) - 1
        return 0 if every is None else max(0, len(self.stages) - 2 - (epoch + 1 - begin) // every)

    def begin_epoch(self, epoch: int) -> None:
        """Freeze and unfreeze the stages for an epoch, counted from 0."""
        num_frozen = self.num_frozen(epoch)
        self._frozen = [module for stage in self.stages[:num_frozen] for module in stage]
        # Parameters outside all stages, such as a class token, learn only when nothing is frozen.
        self.network.requires_grad_(not num_frozen)
        for module in (module for stage in self.stages[num_frozen:] for module in stage):
            module.requires_grad_(True)
        self.network.train(self.network.training)  # unfrozen modules return to the mode of the network
        self.keep_modes()

    def keep_modes(self) -> None:
        """Put frozen modules, and batch normalisation with stored statistics, into evaluation mode.

        A head, such as the decoder of a U-Net, has none: its weights are new.
        """
        for module in self._frozen:
            module.eval()
        if self.transfer.uses_stored_statistics:
            heads: Any = getattr(self.network, "head_names", None) or ()
            new = {layer for name in heads for layer in self.network.get_submodule(name).modules()}
            for layer in self.network.modules():
                if isinstance(layer, _BATCH_NORMS) and layer not in new:
                    layer.eval()

    def parameters(self, lr: float | None) -> list[nn.Parameter] | list[dict[str, Any]]:
        """Return the parameters for an optimizer, without those that are always frozen.

        With `lr_decay` below 1, each stage is a parameter group with its own learning rate.

        Args:
            lr: learning rate of the head.

        Raises:
            ValueError: `lr_decay` is below 1, and `lr` is None.
        """
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        if self.transfer.lr_decay == 1:
            return learning
        if lr is None:
            raise ValueError(f"optimizer.lr=null: must be a number, because model.lr_decay={self.transfer.lr_decay}.")
        stage_of = {id(p): n for n, stage in enumerate(self.stages) for module in stage for p in module.parameters()}
        by_stage: list[list[nn.Parameter]] = [[] for _ in self.stages]
        for parameter in learning:
            by_stage[stage_of.get(id(parameter), 0)].append(parameter)
        last = len(self.stages) - 1
        return [
            {"params": members, "lr": lr * self.transfer.lr_decay ** (last - number)}
            for number, members in enumerate(by_stage)
            if members
        ]
