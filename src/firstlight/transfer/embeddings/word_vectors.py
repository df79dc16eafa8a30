"""Vectors of words, learned from large texts by GloVe or word2vec, as the initial weights of an embedding."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn

from firstlight.files import cannot_read, open_unpacked

_MAX_WORD = 1000  # bytes of a word in a binary file
_FIX = "name a file of GloVe or of word2vec."


def load_word_vectors(network: Any, path: Path, tokens: Sequence[str]) -> str:
    """Replace the initial weights of the known tokens of a network's `embedding`; the others keep theirs.

    A token is searched for as it is, without the space before it, and then in small letters.

    Args:
        network: has an attribute `embedding`, a layer of `nn.Embedding` or `nn.EmbeddingBag`.
        path: text in which each line holds a word and its numbers (GloVe), perhaps after a line with the number of
            words and of numbers (word2vec), or a binary file of word2vec. It may be compressed, see `open_unpacked`.
        tokens: the tokens, by the number of their row in the embedding.

    Returns:
        A line that says which fraction of the tokens has a vector.

    Raises:
        ValueError: the network embeds no tokens, the file cannot be read, its vectors have another length than
            those of the embedding, or no token is in it.
    """
    embedding = getattr(network, "embedding", None)
    if not isinstance(embedding, nn.Embedding | nn.EmbeddingBag):
        raise ValueError(f"data.embeddings={path}: must be null, because {type(network).__name__} embeds no tokens.")
    names = [token.strip() for token in tokens]
    vectors = read_word_vectors(path, {*names, *map(str.lower, names)} - {""})
    found = {place: vectors.get(word, vectors.get(word.lower())) for place, word in enumerate(names)}
    rows = {place: vector for place, vector in found.items() if vector is not None}
    if not rows:
        raise ValueError(f"data.embeddings={path}: must have a vector for one of the {len(tokens):,} tokens.")
    length = len(next(iter(rows.values())))
    if embedding.embedding_dim != length:
        raise ValueError(
            f"model.embedding_dim={embedding.embedding_dim}: must be {length}, the length of the vectors in {path}."
        )
    with torch.no_grad():
        embedding.weight[list(rows)] = torch.from_numpy(np.stack(list(rows.values()))).to(embedding.weight)
    return f"{path.name}: {len(rows):,} of {len(tokens):,} tokens ({len(rows) / len(tokens):.0%}) have a vector"


def read_word_vectors(path: Path, known: set[str]) -> Mapping[str, np.ndarray]:
    """Return the vectors of the words that are in a file: each (length,), float32.

    Raises:
        ValueError: the file cannot be read, or is none of those that `load_word_vectors` takes.
    """
    try:
        with open_unpacked(path) as file:
            first = file.readline(1 << 20)
            header = first.split()
            if len(header) == 2 and all(number.isdigit() for number in header):  # word2vec
                number, length = map(int, header)
                second = file.readline(1 << 20)
                rows = _text_rows(path, second, file, length)
                if not _is_text(second, length):
                    rows = _binary_rows(path, _Ahead(second, file), number, length)
            else:
                rows = _text_rows(path, first, file, len(header) - 1)
            return {word: vector for word, vector in rows if word in known}
    except OSError as error:
        raise cannot_read(path, error.strerror or str(error), _FIX) from error


def _is_text(line: bytes, length: int) -> bool:
    """Return whether a line holds a word and `length` numbers as text."""
    try:
        return len([float(part) for part in line.split()[-length:]]) == length
    except ValueError:
        return False


def _text_rows(path: Path, first: bytes, file: BinaryIO, length: int) -> Iterator[tuple[str, np.ndarray]]:
    number, line = 1, first
    while line:
        word, *numbers = line.decode(errors="replace").rstrip().rsplit(" ", length)  # a word may hold spaces
        try:
            vector = np.array(numbers, dtype=np.float32)
        except ValueError:
            vector = np.zeros(0, dtype=np.float32)
        if length < 1 or len(vector) != length or not np.isfinite(vector).all():
            raise cannot_read(path, f"it has no word with {max(1, length)} finite numbers", _FIX, line=number)
        yield word, vector
        number, line = number + 1, file.readline(1 << 20)


class _Ahead:
    """A binary file of which some bytes were read ahead."""

    def __init__(self, read: bytes, file: BinaryIO) -> None:
        self.ahead, self.file = read, file

    def read(self, number: int) -> bytes:
        part, self.ahead = self.ahead[:number], self.ahead[number:]
        return part if len(part) == number else part + self.file.read(number - len(part))


def _binary_rows(path: Path, file: _Ahead, number: int, length: int) -> Iterator[tuple[str, np.ndarray]]:
    for place in range(number):
        word = bytearray()
        while (byte := file.read(1)) != b" ":
            if not byte or len(word) > _MAX_WORD:
                raise cannot_read(path, f"it ends in word {place + 1:,} of {number:,}, or is no text", _FIX)
            word += byte
        content = file.read(4 * length)
        if len(content) < 4 * length:
            raise cannot_read(path, f"it ends in word {place + 1:,} of {number:,}", "get it again.")
        yield word.decode(errors="replace").lstrip("\n"), np.frombuffer(content, dtype="<f4")
