"""Read the words of a sweep, and the node `sweep.space`, with Hydra's own parser."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from firstlight.config.compose import config_loader
from firstlight.config.overrides import replacing_files, with_quotes
from firstlight.training.sweeps.space.dimension import Dimension, dimension
from firstlight.training.sweeps.space.space import Space

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser


def is_setting(word: str) -> bool:
    """Return whether a word concerns the sweep and not its jobs."""
    key = word.partition("=")[0].lstrip("+~")
    return key == "sweep" or key.startswith("sweep.")


def read_space(words: Sequence[str], node: Mapping[str, Any], *, method: str = "grid", seed: int = 1) -> Space:
    """Return the space of a sweep.

    Args:
        words: the words of the command line, without those of the sweep itself. A key here replaces that of `node`.
        node: `sweep.space`: values by their keys, as text in Hydra's syntax or as a list. The key "optimizer=sgd" names
            a node of the jobs that have this word.
        method: see `SweepSettings`.
        seed: the seed of `shuffle()`.

    Raises:
        ValueError: a value does not fit the method, or a condition is not among the words.
        hydra.errors.HydraException: a word cannot be read.
    """
    with config_loader() as loader, _seeded(seed):
        from hydra.core.override_parser.overrides_parser import OverridesParser

        reader = _Reader(OverridesParser.create(config_loader=loader), is_grid=method == "grid")
        parts = reader.parts(words)
        keys = {_key(part) for part in parts}
        own = reader.space({key: value for key, value in node.items() if key not in keys})
    return Space((*parts, *own.parts), own.conditions)


class _Reader:
    def __init__(self, parser: "OverridesParser", *, is_grid: bool) -> None:
        self.parser = parser
        self.is_grid = is_grid

    def parts(self, words: Sequence[str]) -> tuple[str | Dimension, ...]:
        return tuple(map(self._part, replacing_files(with_quotes(words))))

    def _part(self, word: str) -> str | Dimension:
        (override,) = self.parser.parse_overrides([word])
        return dimension(override, is_grid=self.is_grid) if override.is_sweep_override() else word

    def space(self, node: Mapping[str, Any]) -> Space:
        conditions, words = {}, []
        for key, value in node.items():
            if isinstance(value, Mapping) and "=" in key:
                conditions[key] = self.space(value)
            elif "=" in key:
                raise ValueError(f"sweep.space: {key} must name further keys with their values.")
            else:
                words.append(f"{key}={_text(value)}")
        return Space(self.parts(words), conditions)


def _text(value: Any) -> str:
    """Return a value of YAML as the command line has it; a list stands for several values."""
    from hydra.core.override_parser.types import Override

    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"choice({','.join(map(_text, value))})"
    return Override._get_value_element_as_str(value)


def _key(part: str | Dimension) -> str:
    return part.key if isinstance(part, Dimension) else part.partition("=")[0].lstrip("+~")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let Hydra's `shuffle()` give the same order each time."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
