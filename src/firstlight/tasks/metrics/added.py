"""Metrics that a config adds to a task: classes of torchmetrics, or classes of the user that derive from them."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from firstlight.config.checking.metrics import DIRECTION
from firstlight.config.instantiate import bind, call, parameters_of
from firstlight.tasks.metrics.metric import Metric

Pair = tuple[Tensor, Tensor]
"""What a metric compares: predictions and targets."""

_LONGEST = 160  # characters of an error of a metric
_DIRECTIONS = {True: "max", False: "min", None: None}


@dataclass(frozen=True)
class _Added:
    metric: Metric
    computed: Any  # a torchmetrics.Metric; it is imported only if a config asks for one
    form: int  # which of the forms that the task offers it accepts


class AddedMetrics:
    """The added metrics of a task. They see validation and test batches only.

    In a run of several processes, each metric gathers the states of all of them when it is computed.

    Args:
        nodes: the node of each metric by its name, with `_target_` and optionally `direction`.
        given: values for those parameters of a metric that its node leaves out.
        examples: predictions and targets in each form that the task offers. A metric gets the first form that it
            accepts.

    Raises:
        ValueError: a metric cannot be built, accepts none of the forms, or does not return a single number. The message
            names its key.
    """

    def __init__(self, nodes: Mapping[str, dict[str, Any]], given: Mapping[str, Any], examples: Sequence[Pair]) -> None:
        self._added = [_build(name, node, given, examples) for name, node in nodes.items()]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Names and directions."""
        return tuple(each.metric for each in self._added)

    def reset(self, device: torch.device) -> None:
        """Begin a pass through a split."""
        for each in self._added:
            each.computed.reset()
            each.computed.to(device)

    def update(self, forms: Sequence[Pair]) -> None:
        """Add a batch, in each of the forms that the task offers. An empty batch changes nothing."""
        for each in self._added:
            predictions, targets = forms[each.form]
            if len(targets):  # one of several processes may get no samples of the last batch
                each.computed.update(predictions, targets)

    def compute(self) -> dict[str, float]:
        """Return the values of the pass. In a run of several processes, all of them must call this."""
        with warnings.catch_warnings():  # a process without samples gets the states of the others
            warnings.filterwarnings("ignore", "The ``compute`` method of metric .* was called before")
            return {each.metric.name: float(each.computed.compute()) for each in self._added}


def _build(name: str, node: dict[str, Any], given: Mapping[str, Any], examples: Sequence[Pair]) -> _Added:
    key = f"task.metrics.{name}"
    bound = bind(key, {option: value for option, value in node.items() if option != DIRECTION})
    names = parameters_of(bound.func)
    filled = {option: value for option, value in given.items() if option in names and option not in bound.keywords}
    computed = call(key, bound, **filled)
    form = _find_form(f"{key}={type(computed).__name__}", computed, examples)
    direction = node.get(DIRECTION) or _DIRECTIONS[computed.higher_is_better]
    return _Added(Metric(name, direction), computed, form)


def _find_form(key: str, metric: Any, examples: Sequence[Pair]) -> int:
    """Return the index of the first form of predictions and targets that a metric accepts.

    Raises:
        ValueError: it accepts none, or its result is not one number.
    """
    problems = []
    for index, pair in enumerate(examples):
        trial = copy.deepcopy(metric)
        try:
            with warnings.catch_warnings():  # an example lacks most classes
                warnings.simplefilter("ignore")
                trial.update(*pair)
                value = trial.compute()
        except Exception as error:  # the code of the metric may raise anything
            problems.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
            continue
        if not isinstance(value, int | float) and not (isinstance(value, Tensor) and value.numel() == 1):
            raise ValueError(f"{key}: must return one number, and it returns {_described(value)}.")
        return index
    shapes = " and ".join("x".join(map(str, part.shape)) for part in examples[0])
    raise ValueError(f"{key}: must accept predictions and targets of {shapes}. {problems[0][:_LONGEST]}")


def _described(value: Any) -> str:
    """Return the description of a result that is not one number."""
    if isinstance(value, Tensor):
        return f"{'x'.join(map(str, value.shape))} numbers"
    return f"a {type(value).__name__}"
