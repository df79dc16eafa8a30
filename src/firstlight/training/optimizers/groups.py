"""Groups of parameters that the optimizer treats differently: by layer, by kind, or as hidden matrices."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from firstlight.checks import suggestion
from firstlight.config.options import ParameterOptions

_BACKBONE, _HEAD = "backbone", "head"
_MATRICES = "hidden_matrices"
_NORMS = (
    nn.modules.batchnorm._NormBase,  # batch and instance normalisation
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


class Groups:
    """Decides which options of the optimizer each parameter of a network has.

    A name of `options.groups` is that of a layer of the network or of a parameter, as in `named_modules`, and applies
    to all that is inside. If several names apply, the longest decides. In a network that ends in a linear layer, `head`
    is that layer and `backbone` all others, unless layers have these names.

    Args:
        network: the network.
        head: the name of its head; empty if it has none.
        options: the options.
        separates_hidden_matrices: whether each group says if its members are hidden matrices: those of linear,
            recurrent and attention layers, without embeddings and the head.

    Raises:
        ValueError: a group is that of no layer.
    """

    def __init__(
        self, network: nn.Module, head: str, options: ParameterOptions, *, separates_hidden_matrices: bool = False
    ) -> None:
        self.options = options
        self.separates = separates_hidden_matrices
        self._names = {id(parameter): name for name, parameter in network.named_parameters()}
        self._norms = _parameters_in(network, _NORMS)
        self._embeddings = _parameters_in(network, (nn.Embedding, nn.EmbeddingBag))
        self._head = head
        self._layers = [name for name, _ in network.named_children()]
        taken = {name for name, _ in network.named_modules()}
        self._words = [word for word in (_BACKBONE, _HEAD) if head and word not in taken]
        for name in options.groups:
            if not any(self._applies(name, parameter) for parameter in self._names.values()):
                known = [*self._layers, *(word for word in self._words if word not in self._layers)]
                raise ValueError(f"optimizer.groups.{name}: unknown layer{suggestion(name, known, 'optimizer.groups')}")

    def divide(self, parameters: Iterable[Any]) -> list[Any]:
        """Return parameters or groups of them, divided further by the options of each parameter.

        Args:
            parameters: parameters, or groups as an optimizer takes them. Their options come after those of
                `options.groups`.
        """
        given = list(parameters)
        found: list[dict[str, Any]] = []
        for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
            found += self._divided(group)
        return found

    def _divided(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for parameter in group["params"]:
            options = {name: value for name, value in group.items() if name != "params"} | self._own(parameter)
            fitting = next((each for each in found if _options(each) == options), None)
            if fitting is None:
                found.append(fitting := options | {"params": []})
            fitting["params"].append(parameter)
        return found

    def _own(self, parameter: Tensor) -> dict[str, Any]:
        """Return the options of a parameter that are not those of the optimizer."""
        name = self._names[id(parameter)]
        found: dict[str, Any] = {}
        if self.separates:
            is_hidden = parameter.ndim == 2 and id(parameter) not in self._embeddings
            found[_MATRICES] = is_hidden and not _is_inside(name, self._head)
        if not self.options.decay_biases_and_norms and (parameter.ndim < 2 or id(parameter) in self._norms):
            found["weight_decay"] = 0.0
        fitting = [key for key in self.options.groups if self._applies(key, name)]
        for key in sorted(fitting, key=lambda key: (key not in self._words, len(key))):  # the most precise comes last
            found |= self.options.groups[key]
        return found

    def _applies(self, key: str, name: str) -> bool:
        """Return whether the name of a group applies to the parameter of this name."""
        if key in self._words:
            return _is_inside(name, self._head) == (key == _HEAD)
        return _is_inside(name, key)


def _is_inside(name: str, layer: str) -> bool:
    return bool(layer) and (name == layer or name.startswith(f"{layer}."))


def _parameters_in(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[int]:
    layers = (layer for layer in network.modules() if isinstance(layer, kinds))
    return {id(parameter) for layer in layers for parameter in layer.parameters(recurse=False)}


def _options(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
