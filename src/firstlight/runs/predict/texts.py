"""Texts as inputs: one text, or the lines of a file."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from firstlight.data.texts.encode import encode_texts
from firstlight.data.tokens import UNKNOWN, cut, encode, has_capitals, unit_of
from firstlight.files import read_text, user_path
from firstlight.runs.predict.inputs import InputBatch, check_kind
from firstlight.spec import DataSpec

_LIKE_A_PATH = re.compile(r"\S*[/\\]\S*|\S+\.\w{1,5}")


class TextInputs:
    """A text, or the lines of a file.

    For a language model, a text is predicted as a line: after a line break, if the vocabulary has one. A text that is
    classified is cut as in training.

    Args:
        source: the text, or the path of the file, or a list of texts.
        spec: the data that the network was trained on.

    Raises:
        ValueError: the file cannot be read, or does not exist, or there is no text.
    """

    unit = "text"
    sheet_path: Path | None = None

    def __init__(self, source: str | Sequence[str], spec: DataSpec) -> None:
        self.problems: list[str] = []
        self.lines = _lines(source) if isinstance(source, str) else list(source)
        self.spec = spec
        self.vocabulary = spec.tokens
        self.known = frozenset(self.vocabulary) - {UNKNOWN}
        self.is_classified = spec.targets != "tokens"
        is_line = not self.is_classified and "\n" in self.known
        self.first = [self.vocabulary.index("\n")] if is_line else []

    def __len__(self) -> int:
        return len(self.lines)

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Yield token ids (batch, length of the longest text), int32, with -1 after the end of the other texts."""
        unit = unit_of(self.vocabulary)
        is_small = self.is_classified and not has_capitals(self.vocabulary)
        for start in range(0, len(self.lines), batch_size):
            lines = self.lines[start : start + batch_size]
            tokens = [cut(line.lower() if is_small else line, unit) for line in lines]
            raw = self._classified(lines) if self.is_classified else self._continued(tokens)
            names = [{"line": number, "text": line} for number, line in enumerate(lines, start + 1)]
            yield InputBatch(names, raw, [[*self._cut(part), *self._unknown(part)] for part in tokens])

    def _continued(self, tokens: Sequence[Sequence[str]]) -> torch.Tensor:
        ids = [torch.tensor([*self.first, *encode(part, self.vocabulary)], dtype=torch.int32) for part in tokens]
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-1)

    def _classified(self, lines: Sequence[str]) -> torch.Tensor:
        rows = encode_texts(lines, self.vocabulary, self.spec.input_shape[0])
        longest = int((rows >= 0).sum(1).max())
        return torch.from_numpy(rows[:, :longest].copy())

    def _cut(self, tokens: Sequence[str]) -> list[str]:
        """Return a warning if a text that is classified is longer than those of the training."""
        most = self.spec.input_shape[0]
        is_cut = self.is_classified and len(tokens) > most
        return [f"cut: the first {most:,} of {len(tokens):,} tokens count"] if is_cut else []

    def _unknown(self, tokens: Sequence[str]) -> list[str]:
        """Return a warning if tokens are not in the vocabulary."""
        unknown = [token for token in tokens if token not in self.known]
        return [f"unknown: {len(unknown):,} of {len(tokens):,} tokens, such as {unknown[0]!r}"] if unknown else []


def _lines(source: str) -> list[str]:
    """Return the lines of a file, or the text itself.

    Raises:
        ValueError: the text looks like a path that does not exist, or is empty; or the file cannot be read.
    """
    path = _existing(source)
    if path is not None:
        check_kind(path, "tokens")
        lines = re.split("\r\n|\r|\n", read_text(path))
        return lines[:-1] if not lines[-1] else lines
    if _LIKE_A_PATH.fullmatch(source):
        raise ValueError(f"input={source}: must be an existing file, or a text.")
    return [source]


def _existing(source: str) -> Path | None:
    """Return the path of an existing file or folder; None for a text, which may be too long for a path."""
    try:
        path = user_path(source, "input")
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None
