"""Sentences such as "cats say meow": the smallest text from which a language model learns who says what."""

from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range
from firstlight.data.text import Text

SAYINGS = {
    "cats": "meow",
    "dogs": "woof",
    "cows": "moo",
    "ducks": "quack",
    "sheep": "baa",
    "pigs": "oink",
}
_FORMS = ("{animals} say {sound} .", "all {animals} say {sound} .", "the {animals} say {sound} and {sound} .")


class CatsAndDogs(Text):
    """Sentences in which each animal says its own sound, in random order.

    Args:
        dir: folder of the store.
        sentences: number of sentences.
        split_seed: seed of their order.
        kwargs: see `Text`; `file` and `unit` are fixed.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "cats_and_dogs"

    def __init__(self, dir: str, *, sentences: int = 600, split_seed: int = 0, **kwargs: Any) -> None:
        super().__init__(dir, file=None, unit="words", **kwargs)
        check_range("data.sentences", sentences, at_least=10)
        self.sentences = sentences
        self.split_seed = split_seed
        self.options |= {"sentences": sentences, "split_seed": split_seed}

    def files(self) -> list[Path]:
        """Return no files: the sentences are made."""
        return []

    def _text(self) -> str:
        made = [form.format(animals=name, sound=sound) for name, sound in SAYINGS.items() for form in _FORMS]
        chosen = np.random.default_rng(self.split_seed).integers(len(made), size=self.sentences)
        return "".join(f"{made[place]}\n" for place in chosen)
