"""One key of a sweep, and the values that it may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


class Chooser(Protocol):
    """What chooses a value, such as a trial of Optuna."""

    def suggest_categorical(self, name: str, choices: Sequence[str], /) -> str:
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from `low` to `high`."""

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """Return a number from `low` to `high`."""


@dataclass(frozen=True)
class Dimension:
    """A key and its values: a list, or an interval.

    Attributes:
        key: the key of the config, such as "optimizer.lr".
        prefix: what stands before the key on the command line: "", "+" or "++".
        choices: the values as texts of Hydra's grammar; empty for an interval.
        low: the lower end of the interval.
        high: the upper end.
        is_whole: whether the values of the interval are whole numbers.
        step: the distance of two whole numbers.
        is_log: whether the logarithm of the value is what is sampled evenly.
    """

    key: str
    prefix: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False
    step: int = 1
    is_log: bool = False

    @property
    def is_interval(self) -> bool:
        """Whether the values cannot be listed."""
        return not self.choices

    def suggest(self, chooser: Chooser) -> str:
        """Return one of the values as text."""
        if self.choices:
            return chooser.suggest_categorical(self.key, self.choices)
        if self.is_whole:
            return str(chooser.suggest_int(self.key, int(self.low), int(self.high), step=self.step, log=self.is_log))
        return repr(float(chooser.suggest_float(self.key, self.low, self.high, log=self.is_log)))

    def word(self, value: str) -> str:
        """Return the word of the command line for a value."""
        return f"{self.prefix}{self.key}={value}"


def dimension(override: "Override", *, is_grid: bool) -> Dimension:
    """Return the dimension that an override with several values describes.

    Args:
        override: the override, as Hydra has parsed it.
        is_grid: whether all values are tried, so that they must be a list. Otherwise a range of whole numbers has an
            order that a sampler may use.

    Raises:
        ValueError: an interval stands in a grid, is empty, or has no logarithm.
    """
    full_key = override.get_key_element()
    key = full_key.lstrip("+")
    prefix = full_key.removesuffix(key)
    if override.is_interval_sweep():
        return _interval(override, key, prefix, is_grid)
    value: Any = override.value()
    numbers = list(value.range()) if override.is_range_sweep() else []
    if not is_grid and len(numbers) > 1 and all(isinstance(number, int) for number in numbers):
        step = abs(int(numbers[1]) - int(numbers[0]))
        return Dimension(key, prefix, (), min(numbers), max(numbers), is_whole=True, step=step)
    found = [text for text in override.sweep_string_iterator() if not text.startswith("_")]  # a file for other files
    choices = tuple(found if is_grid else dict.fromkeys(found))
    if not choices:
        raise ValueError(f"{override.input_line}: must have at least one value.")
    return Dimension(key, prefix, choices)


def _interval(override: "Override", key: str, prefix: str, is_grid: bool) -> Dimension:
    value: Any = override.value()  # an IntervalSweep
    word, low, high, is_log = override.input_line, value.start, value.end, "log" in value.tags
    if is_grid:
        raise ValueError(
            f"{word}: must be a list of values in a grid. To fix: sweep.method=random, tpe, cmaes or nsga2"
            " samples intervals."
        )
    if not low < high:
        raise ValueError(f"{word}: must be an interval whose first number is below the second.")
    if is_log and low <= 0:
        raise ValueError(f"{word}: must begin above 0, because its logarithm is sampled.")
    is_whole = isinstance(low, int) and isinstance(high, int)
    return Dimension(key, prefix, (), low, high, is_whole=is_whole, is_log=is_log)
