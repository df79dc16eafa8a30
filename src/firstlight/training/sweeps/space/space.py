"""All words of a sweep: those that every job has, and the dimensions."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firstlight.training.sweeps.space.dimension import Chooser, Dimension


@dataclass(frozen=True)
class Space:
    """Words in their order, each fixed or a dimension, and those that only some jobs have.

    Attributes:
        parts: words that every job has, and dimensions.
        conditions: for a word such as "optimizer=sgd", the space of the jobs that have it.
    """

    parts: tuple[str | Dimension, ...] = ()
    conditions: Mapping[str, "Space"] = field(default_factory=dict)

    def words(self, chooser: Chooser) -> tuple[str, ...]:
        """Return the words of one job."""
        own_words = tuple(part if isinstance(part, str) else part.word(part.suggest(chooser)) for part in self.parts)
        plain = {part.lstrip("+") for part in own_words}
        chosen = (space for condition, space in self.conditions.items() if condition in plain)
        return own_words + tuple(word for space in chosen for word in space.words(chooser))

    def dimensions(self) -> Iterator[Dimension]:
        """Yield all dimensions, also those of conditions."""
        yield from (part for part in self.parts if isinstance(part, Dimension))
        for space in self.conditions.values():
            yield from space.dimensions()

    def grid(self) -> Iterator[dict[str, str]]:
        """Yield the values of each combination by their keys; the last key changes fastest."""
        dimensions = [part for part in self.parts if isinstance(part, Dimension)]
        fixed = {part.lstrip("+") for part in self.parts if isinstance(part, str)}
        for values in itertools.product(*(each.choices for each in dimensions)):
            own = {each.key: value for each, value in zip(dimensions, values, strict=True)}
            plain = fixed | {f"{key}={value}" for key, value in own.items()}
            spaces = [space for condition, space in self.conditions.items() if condition in plain]
            for others in itertools.product(*(list(space.grid()) for space in spaces)):
                yield own | {key: value for other in others for key, value in other.items()}

    def num_combinations(self) -> int:
        """Return the number of combinations without those of conditions."""
        return math.prod(len(part.choices) for part in self.parts if isinstance(part, Dimension))

    def probes(self, seed: int, randoms: int = 3) -> Iterator[tuple[str, ...]]:
        """Yield words of jobs that together have both ends of each interval and each choice, and some random ones."""
        longest = max((len(each.choices) for each in self.dimensions()), default=0)
        for place in range(max(2, longest)):
            yield self.words(_Probe(place))
        for number in range(randoms):
            yield self.words(_Probe(number, np.random.default_rng([seed, number])))


class _Probe:
    """Chooses the values at a place: of a list the one there, of an interval its low end, its high end, and so on."""

    def __init__(self, place: int, random: np.random.Generator | None = None) -> None:
        self.place = place
        self.random = random

    def suggest_categorical(self, name: str, choices: Sequence[str], /) -> str:
        return choices[self.place % len(choices) if self.random is None else int(self.random.integers(len(choices)))]

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        place = self.place % 2 if self.random is None else self.random.random()
        return low + step * int(place * ((high - low) // step))

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        place: Any = self.place % 2 if self.random is None else self.random.random()
        return float(low * (high / low) ** place if log else low + place * (high - low))
