"""The scheduler of a config: from its node to a scheduler of torch for each optimizer."""

import inspect
import io
import warnings
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from firstlight.checks import choose
from firstlight.config.instantiate import bind, call
from firstlight.training.schedulers.protocol import RunLength

INTERVALS = ("epoch", "step")
# Classes whose documentation steps them after each batch. All others count epochs.
_PER_STEP = (OneCycleLR, CyclicLR)
# Arguments that the run knows. They are passed if the class needs them and the config does not give them.
_LENGTHS = ("total_steps", "T_max", "steps_per_epoch")
_KNOWN = (*_LENGTHS, "max_lr", "run_length")


class BoundScheduler:
    """A node `scheduler` whose function or class is imported, and whose options wait for an optimizer.

    A function is called as `Scheduler` describes. A class is a subclass of `LRScheduler`, called as in torch:
    `Class(optimizer, **options)`. Its option `interval` says whether it counts epochs or optimizer steps; without it,
    `OneCycleLR` and `CyclicLR` count steps, and all others epochs. Arguments without a default that the run knows are
    passed if the config leaves them out: `T_max` and `total_steps`, counted in `interval`, `max_lr`, the optimizer's
    rate, `steps_per_epoch` and `run_length`; `ReduceLROnPlateau` gets the direction of `monitor` as its `mode`. Nodes
    within the node that describe schedulers, such as the list of a `SequentialLR`, are built for the same optimizer.

    Args:
        node: the node, with `_target_`.
        key: the dotted path of the node, for messages.

    Attributes:
        interval: "epoch" or "step": when the scheduler is stepped. Functions count steps.

    Raises:
        ValueError: the target is neither a function nor a scheduler class, or schedulers within it count differently.
    """

    def __init__(self, node: dict[str, Any], key: str = "scheduler") -> None:
        self.key = key
        self._members = {name: _members(value, f"{key}.{name}") for name, value in node.items()}
        self._members = {name: members for name, members in self._members.items() if members is not None}
        options = {name: value for name, value in node.items() if name not in self._members}
        self._class = _class_of(key, options)
        interval = options.pop("interval", None) if self._class and not self._accepts("interval") else None
        self._function = bind(key, options)
        self.interval = self._choose_interval(interval)

    def __call__(self, optimizer: Optimizer, run_length: RunLength) -> LRScheduler:
        """Build the scheduler of an optimizer.

        Raises:
            ValueError: an option is refused, or the scheduler ends before the run.
        """
        scheduler = self._build(optimizer, run_length)
        if isinstance(scheduler, OneCycleLR) and self._class:
            needed = self._length(run_length)
            if scheduler.total_steps < needed:
                raise ValueError(
                    f"{self.key}.total_steps={scheduler.total_steps}: must be at least {needed}, the {self.interval}s"
                    " of the run."
                )
        return scheduler

    def rehearse(self, optimizer: Optimizer) -> None:
        """Build the scheduler for an optimizer that trains nothing, so that wrong options are reported before the run.

        Raises:
            ValueError: an option is refused, or checkpoints cannot hold the state of the scheduler.
        """
        state = self._build(optimizer, RunLength(total_steps=1000, steps_per_epoch=10, mode="min")).state_dict()
        file = io.BytesIO()
        try:
            torch.save(state, file)
            file.seek(0)
            torch.load(file, weights_only=True)
        except Exception as error:  # torch and pickle raise several kinds
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{self.key}: its state_dict must hold tensors and plain values only, for checkpoints ({reason})."
            ) from error

    def counts_epochs(self, scheduler: LRScheduler) -> bool:
        """Return whether a scheduler that this object has built is stepped after each epoch, not after each step."""
        return self.interval == "epoch" or isinstance(scheduler, ReduceLROnPlateau)

    @property
    def depends_on_length(self) -> bool:
        """Whether an argument of the class, or of one within it, follows from the length of the run."""
        members = [member for found in self._members.values() for member in _as_list(found)]
        return bool(self._class and {*_LENGTHS} & {*self._missing()}) or any(m.depends_on_length for m in members)

    def replay(self, scheduler: LRScheduler, optimizer: Optimizer, run_length: RunLength, num_steps: int) -> None:
        """Put a scheduler, and the rates of its optimizer, where a run of this length is after some of its steps."""
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        fresh = self(optimizer, run_length)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects a step of the optimizer before each one
            for _ in range(num_steps):
                fresh.step()
        scheduler.load_state_dict(fresh.state_dict())

    def _build(self, optimizer: Optimizer, run_length: RunLength) -> LRScheduler:
        nested = {name: _build_each(members, optimizer, run_length) for name, members in self._members.items()}
        if self._class is None:
            return call(self.key, self._function, optimizer, run_length, **nested)
        known = self._known(optimizer, run_length)
        if self._accepts("optimizer"):  # ChainedScheduler takes it last
            return call(self.key, self._function, optimizer=optimizer, **known, **nested)
        return call(self.key, self._function, optimizer, **known, **nested)

    def _accepts(self, name: str) -> bool:
        return name in inspect.signature(self._class).parameters if self._class else False

    def _choose_interval(self, interval: Any) -> str:
        """Return the interval of the option, that of the schedulers within this one, or that of the class."""
        inner = {member.interval for found in self._members.values() for member in _as_list(found)}
        if self._class is None:
            return "step"
        if interval is not None:
            choose(f"{self.key}.interval", interval, INTERVALS, "interval")
        if issubclass(self._class, ReduceLROnPlateau) and interval == "step":
            raise ValueError(f"{self.key}.interval=step: must be epoch, because the metrics are those of an epoch.")
        if len(inner) > 1 and interval is None:
            raise ValueError(f"{self.key}.interval: must be set to epoch or step, because its schedulers differ in it.")
        own = "step" if issubclass(self._class, _PER_STEP) else "epoch"
        chosen = interval or (inner.pop() if inner else own)
        self._use_interval(chosen)
        return chosen

    def _use_interval(self, interval: str) -> None:
        """Let this scheduler and all within it count alike.

        Raises:
            ValueError: one of them is a function, which counts steps, and the others count epochs.
        """
        if self._class is None and interval == "epoch":
            raise ValueError(f"{self.key}: must be a class, because functions count steps, and interval is epoch.")
        self.interval = interval
        for found in self._members.values():
            for member in _as_list(found):
                member._use_interval(interval)

    def _missing(self) -> list[str]:
        """Return the arguments that the run knows, the class needs, and the config leaves out."""
        given = self._function.keywords
        found = []
        for name, parameter in inspect.signature(self._class or self._function.func).parameters.items():
            has_default = parameter.default not in (parameter.empty, None)
            if name in _KNOWN and given.get(name) is None and not has_default:
                found.append(name)
        # OneCycleLR takes either the steps of the run, or its epochs and the steps of each.
        superfluous = "total_steps" if given.get("epochs") is not None else "steps_per_epoch"
        return [name for name in found if name != superfluous or "total_steps" not in found]

    def _known(self, optimizer: Optimizer, run_length: RunLength) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for name in self._missing():
            if name in ("total_steps", "T_max"):
                known[name] = max(2 if name == "total_steps" else 1, self._length(run_length))  # torch divides by it
            elif name == "max_lr":  # OneCycleLR keeps it in the groups, and sets another rate
                known[name] = [group.get("max_lr", group["lr"]) for group in optimizer.param_groups]
            else:
                known[name] = run_length if name == "run_length" else run_length.steps_per_epoch
        if self._class and issubclass(self._class, ReduceLROnPlateau) and "mode" not in self._function.keywords:
            known["mode"] = run_length.mode
        return known

    def _length(self, run_length: RunLength) -> int:
        name = self._class.__name__ if self._class else self.key
        return run_length.finite_epochs(name) if self.interval == "epoch" else run_length.finite_steps(name)


def _class_of(key: str, node: dict[str, Any]) -> type[LRScheduler] | None:
    """Return the class that a node names; None if it names a function.

    Raises:
        ValueError: it names neither a function nor a scheduler class.
    """
    target = bind(key, {"_target_": node["_target_"]}).func
    if isinstance(target, type) and not issubclass(target, LRScheduler):
        raise ValueError(
            f"{key}._target_={node['_target_']}: must be a subclass of torch.optim.lr_scheduler.LRScheduler, or a"
            " function as in firstlight.training.schedulers."
        )
    return target if isinstance(target, type) else None


def _members(value: Any, key: str) -> "BoundScheduler | list[BoundScheduler] | None":
    """Return the schedulers that a value describes: a node or a list of nodes; None for all other values."""
    if isinstance(value, list) and value and all(_is_scheduler(item, key) for item in value):
        return [BoundScheduler(item, f"{key}.{index}") for index, item in enumerate(value)]
    return BoundScheduler(value, key) if _is_scheduler(value, key) else None


def _is_scheduler(value: Any, key: str) -> bool:
    """Return whether a value is the node of a scheduler class, or of a function that takes a `run_length`."""
    if not isinstance(value, dict) or "_target_" not in value or value.get("_partial_"):
        return False
    target = bind(key, {"_target_": value["_target_"]}).func
    if isinstance(target, type):
        return issubclass(target, LRScheduler)
    return "run_length" in inspect.signature(target).parameters


def _as_list(members: Any) -> list[BoundScheduler]:
    return members if isinstance(members, list) else [members]


def _build_each(members: Any, optimizer: Optimizer, run_length: RunLength) -> Any:
    if isinstance(members, list):
        return [member._build(optimizer, run_length) for member in members]
    return members._build(optimizer, run_length)
