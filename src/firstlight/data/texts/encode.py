"""Texts as rows of token numbers of one length; shorter texts end in -1."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from firstlight.data.tokens import cut, encode, has_capitals, unit_of

END = -1  # after the last token of a short text


def encode_texts(texts: Sequence[str], vocabulary: Sequence[str], length: int | None = None) -> np.ndarray:
    """Return the tokens of texts, (texts, length), int32, with -1 after the ends of the shorter ones.

    The unit of the tokens and their case follow from the vocabulary. An empty text is one unknown token.

    Args:
        texts: the texts.
        vocabulary: the tokens by number; the first stands for unknown ones.
        length: tokens after which texts are cut; None for the length of the longest.
    """
    unit, keeps_case = unit_of(vocabulary), has_capitals(vocabulary)
    tokens = [(cut(text if keeps_case else text.lower(), unit) or ("",))[:length] for text in texts]
    counts = np.array([len(part) for part in tokens], dtype=np.int64)
    rows = np.full((len(texts), length or int(counts.max(initial=1))), END, dtype=np.int32)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = encode(list(chain.from_iterable(tokens)), vocabulary)
    return rows
