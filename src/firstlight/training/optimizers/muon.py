"""Muon for the hidden matrices of a network, and AdamW for all its other parameters."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim import Muon as TorchMuon

_MATRICES = "hidden_matrices"


class Muon(Optimizer):
    """Trains hidden matrices with `torch.optim.Muon`, and all other parameters with AdamW.

    Muon replaces the step of a weight matrix by the nearest semi-orthogonal matrix. It is made for the matrices between
    the layers of a network. `BoundOptimizer` puts embeddings, the last layer, biases, norms and the kernels of
    convolutions into groups of their own, which say `hidden_matrices: False`. In a group that does not say it, the
    tensors with two axes are hidden matrices.

    One learning rate serves both: Muon's steps are scaled so that their root mean square is that of AdamW
    (`adjust_lr_fn="match_rms_adamw"`).

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Liu et al. 2025, "Muon is
    scalable for LLM training", equation 4.

    Args:
        params: parameters, or groups of them.
        lr: learning rate; a scheduler changes it.
        momentum: decay of the mean of the gradients of hidden matrices.
        nesterov: whether that mean is taken one gradient further.
        ns_steps: iterations of the orthogonalisation.
        betas: AdamW's decays of the means of the gradients and of their squares.
        weight_decay: fraction of the weights, times lr, that each step subtracts.

    Raises:
        ValueError: an option is out of its range.
    """

    separates_hidden_matrices = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.01,
    ) -> None:
        self._muon_options = {
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "adjust_lr_fn": "match_rms_adamw",
        }
        self._adamw_options = {"betas": betas}
        super().__init__(_groups(params), {"lr": lr, "weight_decay": weight_decay})
        self._parts: list[Optimizer] = []
        for (
            group
        ) in self.param_groups:  # each part writes all its options into its group, which is also one of this one
            self._parts.append(self._part(group))

    def _part(self, group: dict[str, Any]) -> Optimizer:
        """Return the optimizer of a group. It works on the group and the state of this optimizer."""
        options = {name: group[name] for name in ("lr", "weight_decay")}
        part: Optimizer
        if group[_MATRICES]:
            part = TorchMuon(group["params"], **options, **self._own(group, self._muon_options))
        else:
            part = AdamW(group["params"], **options, **self._own(group, self._adamw_options))
        for name, value in part.param_groups[0].items():
            group.setdefault(name, value)
        part.param_groups = [group]
        part.state = self.state
        return part

    @staticmethod
    def _own(group: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        return {name: group.get(name, value) for name, value in options.items()}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with the gradients, which `closure` computes if it is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of all groups."""
        super().load_state_dict(state_dict)
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state


def _groups(params: Iterable[Any]) -> list[dict[str, Any]]:
    """Return groups that each hold hidden matrices alone, or none."""
    given = list(params)
    found = []
    for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
        members = group["params"]
        members = [members] if isinstance(members, Tensor) else list(members)
        for is_matrix in (True, False):
            own = [each for each in members if (group.get(_MATRICES, True) and each.ndim == 2) == is_matrix]
            if own:
                found.append(group | {"params": own, _MATRICES: is_matrix})
    return found
