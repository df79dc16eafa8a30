import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from firstlight.networks import LSTM, BagOfWords
from firstlight.spec import DataSpec
from firstlight.transfer.embeddings.word_vectors import load_word_vectors, read_word_vectors

SPEC = DataSpec((12,), 2, ("ham", "spam"), (), (), vocabulary=("<unk>", " free", "Paris", ",", "rare", "\n"))
VECTORS = {"free": [1.0, 2.0, -3.0], "paris": [0.5, 0.25, 4.0], ",": [7.0, 8.0, 9.0], "other": [0.0, 1.0, 2.0]}


def text(header: str = "") -> bytes:
    return (header + "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in VECTORS.items())).encode()


def binary(end: bytes = b"") -> bytes:
    rows = [word.encode() + b" " + np.array(row, dtype="<f4").tobytes() + end for word, row in VECTORS.items()]
    return b"4 3\n" + b"".join(rows)


FILES = {"glove": text(), "word2vec": text("4 3\n"), "binary": binary(), "binary with line ends": binary(b"\n")}


@pytest.mark.parametrize("content", [*FILES.values(), gzip.compress(text())], ids=[*FILES, "gzip"])
def test_known_tokens_get_their_vectors_and_others_keep_their_weights(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    network = BagOfWords(SPEC, embedding_dim=3, bigrams=4)
    before = network.embedding.weight.detach().clone()
    line = load_word_vectors(network, path, SPEC.vocabulary)
    after = network.embedding.weight.detach()
    assert after[1:4].tolist() == [VECTORS["free"], VECTORS["paris"], VECTORS[","]]
    assert torch.equal(after[[0, 4, 5, 6, 10]], before[[0, 4, 5, 6, 10]])
    assert line == "vectors: 3 of 6 tokens (50%) have a vector"
    assert network.embedding.weight.requires_grad


def test_a_word_of_glove_may_hold_spaces(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("free 1 2 3\n. . . 4 5 6\n")
    assert read_word_vectors(path, {". . ."})[". . ."].tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text().replace(b"paris 0.5", b"paris x"), r"vectors.*no word with 3 finite numbers"),
        (text().replace(b"paris 0.5", b"paris nan"), "line 2"),
        (b"", "must have a vector for one"),
        (binary()[:-2], r"it ends in word 4 of 4"),
        (b"word 1 2 3\n", "must have a vector for one of the 6 tokens"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_word_vectors(BagOfWords(SPEC, embedding_dim=3), path, SPEC.vocabulary)


def test_another_length_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(text())
    with pytest.raises(ValueError, match=r"model\.embedding_dim=128: must be 3, the length of the vectors in"):
        load_word_vectors(LSTM(SPEC), path, SPEC.vocabulary)
    with pytest.raises(ValueError, match=r"must be null, because Linear embeds no tokens"):
        load_word_vectors(torch.nn.Linear(2, 2), path, SPEC.vocabulary)
