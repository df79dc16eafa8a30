"""Texts as rows of token numbers of one length; shorter texts end in -1."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from firstlight.data.tokens import UNKNOWN, build_vocabulary, cut, has_capitals, unit_of

END = -1  # after the last token of a short text


def encode_texts(texts: Sequence[str], vocabulary: Sequence[str], length: int | None = None) -> np.ndarray:
    """Return the tokens of texts, (texts, length), int32, with -1 after the ends of the shorter ones.

    The unit of the tokens and their case follow from the vocabulary. A word is the same token with and without a space
    before it. An empty text is one unknown token.

    Args:
        texts: the texts.
        vocabulary: the tokens by number; the first stands for unknown ones.
        length: tokens after which texts are cut; None for the length of the longest.
    """
    unit, keeps_case = unit_of(vocabulary), has_capitals(vocabulary)
    tokens = [(cut(text if keeps_case else text.lower(), unit) or ("",))[:length] for text in texts]
    counts = np.array([len(part) for part in tokens], dtype=np.int64)
    rows = np.full((len(texts), length or int(counts.max(initial=1))), END, dtype=np.int32)
    numbers = numbers_of(vocabulary)
    found = (numbers.get(bare(token), 0) for token in chain.from_iterable(tokens))
    rows[np.arange(rows.shape[1]) < counts[:, None]] = np.fromiter(found, dtype=np.int32, count=counts.sum())
    return rows


def vocabulary_of(tokens: Iterable[str], max_size: int) -> tuple[str, ...]:
    """Return `<unk>` and the most frequent tokens. A word that occurs with and without a space is there once.

    The more frequent form is in the vocabulary.
    """
    counts = Counter(tokens)
    forms: dict[str, str] = {}
    for token in sorted(counts, key=lambda token: (-counts[token], token)):
        forms.setdefault(bare(token), token)
    merged: Counter[str] = Counter()
    for token, count in counts.items():
        merged[forms[bare(token)]] += count
    return build_vocabulary(merged, max_size)


def numbers_of(vocabulary: Sequence[str]) -> dict[str, int]:
    """Return the number of each known token without the space before it, see `bare`."""
    return {bare(token): number for number, token in enumerate(vocabulary) if token != UNKNOWN}


def bare(token: str) -> str:
    """Return a token without the space before it; a token of spaces stays as it is."""
    return token.lstrip(" ") or token
