"""Which arguments of a class or function the code passes itself, so that a config cannot."""

import ast

from firstlight.config.checking.source_code.classes import ancestors, find_definition
from firstlight.config.checking.source_code.signature import Parameters, takes_spec

# Arguments that are passed by name, or under this name by all classes of a place.
_BY_NAME: dict[str, tuple[str, ...]] = {
    "augment": ("spec", "min_size"),
    "model": ("spec",),
    "task": ("spec", "network", "augment", "transfer"),
}
_SCHEDULER = "torch.optim.lr_scheduler.LRScheduler"
_INTERVAL = ast.parse("Literal['epoch', 'step']", mode="eval").body


def supplied(path: str, target: str, accepted: Parameters) -> tuple[str, ...]:
    """Return the arguments that the code passes to a target at a place of the config.

    An optimizer gets its parameters, a scheduler its optimizer, and the function of a scheduler also the length of the
    run, whatever these arguments are called. A network or a task that takes no spec gets no argument.

    Args:
        path: the dotted path of the node.
        target: the dotted path of the class or function.
        accepted: its parameters.
    """
    names = tuple(accepted)
    if path in ("model", "task") and not takes_spec(accepted):
        return ()
    if path == "optimizer":
        return names[:1]
    if path == "scheduler" and not is_scheduler_class(path, target):
        return names[:2]
    if is_scheduler_class(path, target):
        return ("optimizer",) if "optimizer" in names else names[:1]
    is_nested_function = path.startswith("scheduler.") and names[:2] == ("optimizer", "run_length")
    return names[:2] if is_nested_function else _BY_NAME.get(path, ())


def with_interval(path: str, target: str, accepted: Parameters) -> Parameters:
    """Add the option `interval` of all scheduler classes to their parameters, see `training.schedulers`."""
    return {"interval": _INTERVAL, **accepted} if is_scheduler_class(path, target) else accepted


def is_scheduler_class(path: str, target: str) -> bool:
    """Return whether a target at a place of the config is a class of schedulers, as in torch."""
    definition = find_definition(target) if path.split(".")[0] == "scheduler" else None
    return definition is not None and any(found == find_definition(_SCHEDULER) for found in ancestors(definition))
