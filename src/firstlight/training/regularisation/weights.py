"""Which weights of a network a penalty or a largest norm concerns."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from firstlight.checks import nearest, printable

_MAX_NAMES = 30  # that a message lists


class Weights:
    """The chosen weights of a network.

    Without patterns these are all parameters with two axes or more: no biases, and no normalisation layers. A pattern
    is the name of a layer, for its weights in this sense, or of a parameter of any kind; * stands for anything.

    Args:
        network: the network.
        patterns: the patterns; None for all weights.

    Raises:
        ValueError: a pattern matches nothing. The message lists the names.
    """

    def __init__(self, network: nn.Module, patterns: Sequence[str] | None = None) -> None:
        names = dict(network.named_parameters())
        matrices = [name for name, parameter in names.items() if parameter.ndim > 1]
        chosen = set(matrices if patterns is None else ())
        for pattern in patterns or ():
            found = {name for name in names if fnmatchcase(name, pattern)}
            found |= {name for name in matrices if fnmatchcase(name, f"{pattern}.*")}
            if not found:
                raise _unknown(pattern, [*names])
            chosen |= found
        self._chosen = {id(names[name]) for name in chosen}

    def of(self, part: nn.Module) -> Iterator[Tensor]:
        """Yield the chosen weights, of any shape, of a part of the network that learn now: no frozen ones."""
        yield from (each for each in part.parameters() if id(each) in self._chosen and each.requires_grad)

    def layers_of(self, part: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
        """Yield each layer with the name that the weight has in it, and the weight, of any shape, as in `of`."""
        for layer in part.modules():
            for name, weight in layer.named_parameters(recurse=False):
                if id(weight) in self._chosen and weight.requires_grad:
                    yield layer, name, weight


def _unknown(pattern: str, names: list[str]) -> ValueError:
    found = nearest(pattern, names)
    hint = f", did you mean '{found}'?" if found else "."
    listed = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    return ValueError(f"task.penalised={printable(pattern, 60)}: unknown parameter{hint} The parameters are {listed}.")
