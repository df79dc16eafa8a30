"""Texts with a label for each: a table, or a folder of text files for each class."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstlight.checks import check_range, choose
from firstlight.data.almost import alike, almost
from firstlight.data.hold_out import hold_out
from firstlight.data.source import Source
from firstlight.data.store import Arrays, Split
from firstlight.data.tables.layout import delimiter_of
from firstlight.data.texts.encode import encode_texts, vocabulary_of
from firstlight.data.texts.found import LabelledTexts, class_files, find_splits
from firstlight.data.texts.tables import read_labelled_table
from firstlight.data.tokens import UNITS, cut
from firstlight.files import cannot_read, read_text
from firstlight.spec import DataSpec

_OPTIONS = (
    *("text", "label", "unit", "lowercase", "length", "max_vocabulary", "delimiter", "header", "max_gigabytes"),
    *("test_fraction", "split_seed"),
)


class TextClasses(Source):
    """Texts that are classified: the rows of a table, or text files in a folder for each class.

    Without `file`, `dir` holds the tables train.csv and test.csv, or the folders train/CLASS and test/CLASS, or CLASS
    alone; splits may have any usual names, such as `Training` or `dev`. A test split that is missing is a part of each
    class, which `split_seed` selects. The encoding of each file is detected.

    The vocabulary comes from the training part alone; other tokens become `<unk>`. A text is cut after `length` tokens,
    and a shorter one ends in -1.

    Args:
        dir: folder of the texts, of the store, and of `file` if that is not in the working directory.
        file: path of a table of texts and labels; None for what lies in `dir`.
        text: name of the column of texts; None for the one with a usual name, or with the longest texts.
        label: name of the column of labels; None for the one with a usual name, or with the fewest different cells.
        unit: unit of a token, "characters" or "words" (words, punctuation and white space, which join to the text).
        lowercase: whether capital letters are read as small ones.
        length: tokens after which a text is cut.
        max_vocabulary: maximum size of the vocabulary, including `<unk>`.
        embeddings: path of a file of word vectors, GloVe or word2vec, that become the initial weights of the embedding
            of these tokens; see `transfer.embeddings.word_vectors`. None for random ones.
        delimiter: the character between the columns, or its name, such as tab; None to find it.
        header: whether the first line of a table names the columns; None to find out.
        max_gigabytes: size of the largest table; reading takes ten times as much memory.
        test_fraction: fraction of each class for testing, if there is no test split.
        split_seed: seed that selects these texts.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "text_classes"
    stratified = True

    def __init__(
        self,
        dir: str,
        *,
        file: str | None = None,
        text: str | None = None,
        label: str | None = None,
        unit: str = "words",
        lowercase: bool = True,
        length: int = 256,
        max_vocabulary: int = 20_000,
        embeddings: str | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        max_gigabytes: float = 1.0,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.length", length, at_least=1)
        check_range("data.max_vocabulary", max_vocabulary, at_least=2)
        check_range("data.max_gigabytes", max_gigabytes, above=0)
        self.file = file
        self.text = text
        self.label = label
        self.unit = choose("data.unit", unit, UNITS, "unit")
        self.lowercase = lowercase
        self.length = length
        self.max_vocabulary = max_vocabulary
        self.embeddings = embeddings
        self.delimiter = None if delimiter is None else delimiter_of(delimiter)
        self.header = header
        self.max_gigabytes = max_gigabytes
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options = {key: value for key, value in vars(self).items() if key in _OPTIONS}

    def files(self) -> list[Path]:
        """Return the files of all splits.

        Raises:
            ValueError: there are none.
        """
        places = self._splits().values()
        groups = ([file for file, _ in class_files(place)] if place.is_dir() else [place] for place in places)
        return list(chain.from_iterable(groups))

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the texts of each split: tokens (texts, length), int32, and classes (texts,), int64.

        Raises:
            ValueError: a file cannot be read, a text has no label, or train lacks a class or has one alone.
        """
        found = {split: self._read_texts(place) for split, place in self._splits().items()}
        labels = self._labels(found)
        self.remarks += [*found["train"].remarks, *alike(labels)]
        numbers = {label: number for number, label in enumerate(labels)}
        targets = {split: np.array([numbers[label] for label in part.labels]) for split, part in found.items()}
        self.vocabulary = self._vocabulary(found["train"].texts, self._is_train(labels, targets))
        self.remarks += self._cut_remark(found)
        return labels, {
            split: Arrays(encode_texts(part.texts, self.vocabulary, self.length), targets[split])
            for split, part in found.items()
        }

    def read_all(self, spec: DataSpec) -> Split:
        """Read the texts of all splits, in the tokens and classes of a run.

        Raises:
            ValueError: a text has a class that the run does not know.
        """
        found = [self._read_texts(place) for place in self._splits().values()]
        texts, labels = ([entry for part in found for entry in getattr(part, key)] for key in ("texts", "labels"))
        if unknown := next((label for label in labels if label not in spec.labels), None):
            known = ", ".join(spec.labels[:5]) + (", …" if len(spec.labels) > 5 else "")
            raise ValueError(
                f"data: must have labels that the run knows ({known}), and {unknown} is unknown"
                f"{almost(unknown, spec.labels)}."
            )
        rows = encode_texts(texts, spec.tokens, spec.input_shape[0])
        return Split(torch.from_numpy(rows), torch.tensor([spec.labels.index(label) for label in labels]))

    def original_texts(self, windows: torch.Tensor) -> list[str]:
        """Return the texts with these numbers in the file of train (windows,), unknown tokens included."""
        texts = self._read_texts(self._splits()["train"]).texts
        return [texts[number] for number in windows.tolist()]

    def _splits(self) -> dict[str, Path]:
        return find_splits(self.dir) if self.file is None else {"train": self._locate(self.file)}

    def _read_texts(self, place: Path) -> LabelledTexts:
        """Return the texts of a table, or of files in folders of classes."""
        if not place.is_dir():
            options = self.text, self.label, self.delimiter, self.header, self.max_gigabytes
            return read_labelled_table(place, *options)
        remarks: list[str] = []
        files = class_files(place)
        texts = [read_text(path, remarks) for path, _ in files]
        return LabelledTexts(texts, [label for _, label in files], remarks)

    def _labels(self, found: Mapping[str, LabelledTexts]) -> tuple[str, ...]:
        labels = tuple(sorted(set(found["train"].labels)))
        if len(labels) < 2:
            why = f"it has {len(labels)} class{'' if len(labels) == 1 else 'es'} of texts, not two or more"
            raise cannot_read(self.files()[0] if self.file else self.dir, why, "add texts of other classes.")
        for split, part in found.items():
            if new := sorted(set(part.labels) - set(labels)):
                why = f"the class '{new[0]}' is in {split}, but not in train{almost(new[0], labels)}"
                raise cannot_read(self.dir, why, "add texts of this class, or remove it.")
        return labels

    def _is_train(self, labels: tuple[str, ...], targets: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return which texts of train are not held out for testing."""
        if "test" in targets:
            return np.ones(len(targets["train"]), dtype=bool)
        return ~hold_out(targets["train"], labels, self.test_fraction, self.split_seed)

    def _vocabulary(self, texts: list[str], is_train: np.ndarray) -> tuple[str, ...]:
        chosen = (text for text, is_known in zip(texts, is_train, strict=True) if is_known)
        tokens = (cut(text.lower() if self.lowercase else text, self.unit)[: self.length] for text in chosen)
        return vocabulary_of(chain.from_iterable(tokens), self.max_vocabulary)

    def _cut_remark(self, found: Mapping[str, LabelledTexts]) -> list[str]:
        counts = [len(cut(text, self.unit)) for part in found.values() for text in part.texts]
        number = sum(count > self.length for count in counts)
        return [f"{number:,} of {len(counts):,} texts are cut after {self.length:,} {self.unit}"] if number else []
