"""A text file as windows of tokens; the targets are the next tokens."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstlight.checks import check_range, choose
from firstlight.data.source import Source
from firstlight.data.store import Arrays, Split
from firstlight.data.tokens import UNITS, build_vocabulary, cut, encode
from firstlight.files import read_text
from firstlight.spec import DataSpec

_REFERENCE = "pydoc_data.topics"  # the texts of help("lists") and the like, in every installation of Python


class Text(Source):
    """A text that a language model learns to continue: first the training part, then val, then test.

    The vocabulary comes from the training part alone; other tokens become `<unk>`. Windows follow each other without
    a gap, and the targets of a window are its tokens shifted by one.

    Args:
        dir: folder of the store, and of `file` if that is not in the working directory.
        file: path of a text, whose encoding and line ends are detected; None for the language reference of the
            running Python.
        unit: unit of a token, "characters" or "words" (words, punctuation and white space, which join to the text).
        length: tokens of a window.
        max_vocabulary: maximum size of the vocabulary, including `<unk>`.
        val_fraction: fraction of the text for validation.
        test_fraction: fraction of the text for testing.
        kwargs: see `Source`.

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
        check_range("data.length", length, at_least=1)
        check_range("data.max_vocabulary", max_vocabulary, at_least=2)
        check_range("data.test_fraction", test_fraction, above=0, below=1 - val_fraction)
        self.file = file
        self.unit = choose("data.unit", unit, UNITS, "unit")
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
        """Return the user's text file or, by default, the language reference in the installed Python.

        Raises:
            ValueError: the file does not exist, or this Python lacks the language reference.
        """
        if self.file is not None:
            return [self._locate(self.file)]
        found = importlib.util.find_spec(_REFERENCE)
        if found is None or found.origin is None:
            raise ValueError("data.file=null: must be a text file, because this Python lacks the default text.")
        return [Path(found.origin)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the windows of each split: tokens and next tokens, (windows, length) each, int32."""
        parts = {split: cut(text, self.unit) for split, text in self.parts().items()}
        vocabulary = build_vocabulary(parts["train"], self.max_vocabulary)
        return vocabulary, {split: self._windows(encode(part, vocabulary)) for split, part in parts.items()}

    def parts(self) -> dict[str, str]:
        """Return the text of each split; joined, they are the complete text.

        Raises:
            ValueError: the text cannot be read or is too short.
        """
        tokens = cut(self._text(), self.unit)
        num_val, num_test = (round(len(tokens) * part) for part in (self.val_fraction, self.test_fraction))
        ends = (0, len(tokens) - num_val - num_test, len(tokens) - num_test, len(tokens))
        bounds = dict(zip(("train", "val", "test"), pairwise(ends), strict=True))
        for split, (start, end) in bounds.items():
            if end - start <= self.length:
                raise ValueError(
                    f"data.length={self.length}: must be less than {end - start:,}, the number of {self.unit} for"
                    f" {split} in {self.files()[0]}."
                )
        return {split: "".join(tokens[start:end]) for split, (start, end) in bounds.items()}

    def read_all(self, spec: DataSpec) -> Split:
        """Read the windows of the whole text, in the tokens of a run.

        Raises:
            ValueError: the text is shorter than a window.
        """
        tokens = encode(cut(self._text(), self.unit), spec.labels)
        if len(tokens) <= self.length:
            raise ValueError(f"data.length={self.length}: must be less than {len(tokens):,}, the number of tokens.")
        windows = self._windows(tokens)
        return Split(torch.from_numpy(windows.inputs), torch.from_numpy(windows.targets), consecutive=True)

    def original_texts(self, windows: torch.Tensor) -> list[str]:
        """Return the windows with these numbers (windows,) as they stand in the file, unknown words included."""
        tokens = cut(self.parts()["train"], self.unit)
        return ["".join(tokens[number * self.length :][: self.length]) for number in windows.tolist()]

    def _text(self) -> str:
        if self.file is None:
            from pydoc_data.topics import topics

            return "\n".join(topics[name] for name in sorted(topics))
        return read_text(self._locate(self.file), self.remarks)

    def _windows(self, tokens: np.ndarray) -> Arrays:
        end = (len(tokens) - 1) // self.length * self.length
        return Arrays(tokens[:end].reshape(-1, self.length), tokens[1 : end + 1].reshape(-1, self.length))
