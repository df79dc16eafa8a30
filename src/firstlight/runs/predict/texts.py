"""Texts as inputs: a text, the lines of a file, whole files, or the rows of a table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from firstlight.config.saved import read_saved
from firstlight.data.tables.layout import delimiter_of
from firstlight.data.texts.encode import bare, encode_texts, numbers_of
from firstlight.data.texts.found import find_splits, is_table
from firstlight.data.texts.new import NewTexts, as_lines, read_files, read_lines
from firstlight.data.texts.tables import TableOptions, read_new_table
from firstlight.data.tokens import UNKNOWN, cut, encode, has_capitals, unit_of
from firstlight.files import user_path
from firstlight.runs.predict.inputs import InputBatch, check_kind
from firstlight.runs.predict.screen import show
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec

_LIKE_A_PATH = re.compile(r"\S*[/\\]\S*|\S+\.\w{1,5}")


class TextInputs:
    """Texts. For a language model, a text is predicted as a line: after a line break, if the vocabulary has one.

    A text that is classified is cut as in training. One that is empty has no class.

    Args:
        texts: the texts.
        spec: the data that the network was trained on.
    """

    unit = "text"
    sheet_path: Path | None = None

    def __init__(self, texts: Sequence[str] | NewTexts, spec: DataSpec) -> None:
        self.new = texts if isinstance(texts, NewTexts) else as_lines(texts)
        self.problems = list(self.new.problems)
        self.spec = spec
        self.vocabulary = spec.tokens
        self.is_classified = spec.targets != "tokens"
        self.known = frozenset(numbers_of(self.vocabulary) if self.is_classified else self.vocabulary) - {UNKNOWN}
        is_line = not self.is_classified and "\n" in self.known
        self.first = [self.vocabulary.index("\n")] if is_line else []

    @classmethod
    def read(cls, source: str, spec: DataSpec, run: str | Path | None = None) -> Self:
        """Read a text or a file.

        For a language model, each line of a file is a text. For texts that are classified, so is each row of a table,
        and each file of a folder. A file that is no table is one text if the run was trained on such files: its config
        names no table, and `data.dir` still holds folders of texts; otherwise each of its lines is one.

        Args:
            source: the text, or the path of a file or folder.
            spec: the data that the network was trained on.
            run: the run folder; None for no run.

        Raises:
            ValueError: the file cannot be read, does not exist, or is a table without a column of texts.
        """
        path = _existing(source)
        if path is None and _LIKE_A_PATH.fullmatch(source):
            raise ValueError(f"input={source}: must be an existing file, or a text.")
        if path is None:
            return cls([source], spec)
        if spec.targets == "tokens":
            check_kind(path, "tokens")
            return cls(read_lines(path), spec)
        found = _classified(path, _data_of(run))
        for message in found.messages:
            show(message)
        return cls(found, spec)

    def __len__(self) -> int:
        return len(self.new.texts) + len(self.problems)

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Yield token ids (batch, length of the longest text), int32, with -1 after the end of the other texts."""
        unit = unit_of(self.vocabulary)
        is_small = self.is_classified and not has_capitals(self.vocabulary)
        texts, names, unread, *_ = self.new
        for start in range(0, len(texts), batch_size):
            part = slice(start, start + batch_size)
            tokens = [cut(text.lower() if is_small else text, unit) for text in texts[part]]
            raw = self._classified(texts[part]) if self.is_classified else self._continued(tokens)
            warnings = [[*self._cut(each), *self._unknown(each)] for each in tokens]
            yield InputBatch(names[part], raw, warnings, unread[part] if self.is_classified else [], texts=texts[part])

    def _continued(self, tokens: Sequence[Sequence[str]]) -> torch.Tensor:
        ids = [torch.tensor([*self.first, *encode(part, self.vocabulary)], dtype=torch.int32) for part in tokens]
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-1)

    def _classified(self, texts: Sequence[str]) -> torch.Tensor:
        rows = encode_texts(texts, self.vocabulary, self.spec.input_shape[0])
        longest = int((rows >= 0).sum(1).max())
        return torch.from_numpy(rows[:, :longest].copy())

    def _cut(self, tokens: Sequence[str]) -> list[str]:
        """Return a warning if a text that is classified is longer than those of the training."""
        most = self.spec.input_shape[0]
        is_cut = self.is_classified and len(tokens) > most
        return [f"cut: the first {most:,} of {len(tokens):,} tokens count"] if is_cut else []

    def _unknown(self, tokens: Sequence[str]) -> list[str]:
        """Return a warning if tokens are not in the vocabulary."""
        forms = map(bare, tokens) if self.is_classified else tokens
        unknown = [token for token in forms if token not in self.known]
        return [f"unknown: {len(unknown):,} of {len(tokens):,} tokens, such as {unknown[0]!r}"] if unknown else []


def _classified(path: Path, data: Mapping[str, Any]) -> NewTexts:
    """Return the texts of a file or folder for a classifier; `data` is that of the run's config."""
    if path.is_dir():
        return read_files(path)
    if is_table(path):
        return read_new_table(path, _table_options(data))
    check_kind(path, "tokens")
    if _is_of_files(data):
        return read_files(path)
    return as_lines(read_lines(path), [f"{path.name}: each line is a text"])


def _data_of(run: str | Path | None) -> dict[str, Any]:
    """Return `data` of a run's config, if it is the data set of texts with a class; an empty dict for others."""
    data = read_saved(RunFolder.open(run).config_path).get("data") if run else None
    is_known = isinstance(data, dict) and str(data.get("_target_")).endswith(".TextClasses")
    return data if isinstance(data, dict) and is_known else {}


def _table_options(data: Mapping[str, Any]) -> TableOptions:
    """Return how the tables of the training were read."""
    given = {key: data[key] for key in TableOptions._fields if data.get(key) is not None}
    if "delimiter" in given:
        given["delimiter"] = delimiter_of(given["delimiter"])
    return TableOptions(**given)


def _is_of_files(data: Mapping[str, Any]) -> bool:
    """Return whether each text of the training was a file. The config names `data.dir` alone if it was."""
    if data.get("file") is not None or not data.get("dir"):
        return False
    try:
        return find_splits(user_path(data["dir"], "data.dir"))["train"].is_dir()
    except (OSError, ValueError):  # the data has moved, and may have been tables
        return False


def _existing(source: str) -> Path | None:
    """Return the path of an existing file or folder; None for a text, which may be too long for a path."""
    try:
        path = user_path(source, "input")
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None
