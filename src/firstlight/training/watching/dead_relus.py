"""Units whose activation is zero for every sample: their weights get no gradient."""

from typing import Any

from torch import Tensor, nn


class DeadReLUs:
    """Counts the units of each ReLU layer that are zero for all samples, from now until `finish`.

    A unit is a channel of images, with all its pixels, or a number of a vector. ReLUs that a network calls as functions
    are not seen, and leaky ones are never dead.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        self._alive: dict[str, Tensor] = {}
        self._hooks = [
            layer.register_forward_hook(self._hook(name))
            for name, layer in network.named_modules()
            if isinstance(layer, nn.ReLU | nn.ReLU6)
        ]

    def _hook(self, name: str) -> Any:
        def see(layer: nn.Module, inputs: Any, outputs: Tensor) -> None:
            unit_axis = 1 if outputs.ndim > 3 else outputs.ndim - 1
            others = [axis for axis in range(outputs.ndim) if axis != unit_axis]
            alive = (outputs.detach() > 0).any(dim=others)
            # A layer that is called at several places of the network is one for each number of units.
            key = name if self._alive.get(name, alive).shape == alive.shape else f"{name}.{len(alive)}"
            self._alive[key] = alive | self._alive.get(key, alive)

        return see

    def finish(self) -> dict[str, float]:
        """Stop to look, and return the fraction of dead units of each layer as `dead_relus/<layer>`."""
        for hook in self._hooks:
            hook.remove()
        return {f"dead_relus/{name}": 1 - alive.float().mean().item() for name, alive in self._alive.items()}
