"""Any text file as windows of tokens, each with the tokens that follow."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.data.tokens import UNITS, build_vocabulary, cut, encode
from firstlight.files import read_text

_REFERENCE = "pydoc_data.topics"  # what help("lists") shows, in every installation of Python


class Text(Source):
    """A text to be continued. Its first part is to train on, then comes val, and the end is for testing.

    Tokens come from the training part alone; what else occurs is `<unk>`. Windows follow each other without a gap:
    a window's targets are its tokens moved on by one.

    Args:
        dir: of the store, and of `file` where that is not a path from the working directory.
        file: a text in UTF-8; None for the Python language reference of the Python in use.
        unit: what a token is, "characters" or "words" (with marks and white space, so that the text can be had back).
        length: tokens of a window.
        max_vocabulary: the most tokens in the vocabulary, with `<unk>`.
        val_fraction: share of the text for validation.
        test_fraction: share of the text for testing.
        kwargs: as for every source.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "text"
    consecutive = True

    def __init__(
        self,
        dir: str,
        *,
        file: str | None = None,
        unit: str = "characters",
        length: int = 128,
        max_vocabulary: int = 10_000,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, val_fraction=val_fraction, **kwargs)
        if unit not in UNITS:
            raise ValueError(f"data.unit={unit}: {' or '.join(UNITS)}.")
        if length < 1:
            raise ValueError(f"data.length={length}: a window has one token or more.")
        if max_vocabulary < 2:
            raise ValueError(f"data.max_vocabulary={max_vocabulary}: two tokens or more, <unk> being one.")
        if not 0 < test_fraction < 1 - val_fraction:
            raise ValueError(f"data.test_fraction={test_fraction}: a share above 0 that leaves some text to train on.")
        self.file = file
        self.unit = unit
        self.length = length
        self.max_vocabulary = max_vocabulary
        self.test_fraction = test_fraction
        self.options = {
            "unit": unit,
            "length": length,
            "max_vocabulary": max_vocabulary,
            "val_fraction": val_fraction,
            "test_fraction": test_fraction,
        }

    def files(self) -> list[Path]:
        """The text file, or Python's own."""
        if self.file is not None:
            return [self._locate(self.file)]
        found = importlib.util.find_spec(_REFERENCE)
        if found is None or found.origin is None:
            raise ValueError("This Python has no language reference (pydoc_data). Name a text with data.file=")
        return [Path(found.origin)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Windows (windows, length) of each part, int32, with the tokens that follow, likewise."""
        parts = {split: cut(text, self.unit) for split, text in self.parts().items()}
        vocabulary = build_vocabulary(parts["train"], self.max_vocabulary)
        return vocabulary, {split: self._windows(encode(part, vocabulary)) for split, part in parts.items()}

    def parts(self) -> dict[str, str]:
        """The text of each split as it is; joined, they are the whole.

        Raises:
            ValueError: no text in UTF-8, or too short a one.
        """
        tokens = cut(self._text(), self.unit)
        num_val, num_test = (round(len(tokens) * share) for share in (self.val_fraction, self.test_fraction))
        ends = (0, len(tokens) - num_val - num_test, len(tokens) - num_test, len(tokens))
        bounds = dict(zip(("train", "val", "test"), pairwise(ends), strict=True))
        for split, (start, end) in bounds.items():
            if end - start <= self.length:
                raise ValueError(
                    f"data.length={self.length}: {self.files()[0]} has {len(tokens):,} {self.unit}, {end - start:,} of"
                    f" them for {split}; a window takes {self.length + 1:,} with the one that follows."
                )
        return {split: "".join(tokens[start:end]) for split, (start, end) in bounds.items()}

    def _text(self) -> str:
        if self.file is None:
            from pydoc_data.topics import topics

            return "\n".join(topics[name] for name in sorted(topics))
        return read_text(self._locate(self.file))

    def _windows(self, tokens: np.ndarray) -> Arrays:
        end = (len(tokens) - 1) // self.length * self.length
        return Arrays(tokens[:end].reshape(-1, self.length), tokens[1 : end + 1].reshape(-1, self.length))
