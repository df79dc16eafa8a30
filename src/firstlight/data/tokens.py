"""Convert text to tokens and back; only tokens outside the vocabulary are lost."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

UNKNOWN = "<unk>"
UNITS = ("characters", "words")

# A word or a punctuation mark with the space before it, or other white space. Joined, the tokens are the text.
_WORDS = re.compile(r" ?\w+| ?[^\w\s]|\s+")


def cut(text: str, unit: str) -> Sequence[str]:
    """Split a text into tokens; joined, they are the text."""
    return text if unit == "characters" else _WORDS.findall(text)


def unit_of(vocabulary: Iterable[str]) -> str:
    """Return the unit of the tokens of a vocabulary, see `UNITS`."""
    return "words" if any(len(token) > 1 for token in vocabulary if token != UNKNOWN) else "characters"


def has_capitals(vocabulary: Iterable[str]) -> bool:
    """Return whether a token of a vocabulary has a capital letter; if none has, texts are read in small letters."""
    return any(token != token.lower() for token in vocabulary)


def build_vocabulary(tokens: Iterable[str] | Mapping[str, int], max_size: int) -> tuple[str, ...]:
    """Return `<unk>` and the most frequent tokens, by decreasing frequency and then by character.

    Args:
        tokens: the tokens, or how often each occurs.
        max_size: the largest number of tokens, `<unk>` included.
    """
    ranked = sorted(Counter(tokens).items(), key=lambda entry: (-entry[1], entry[0]))
    return (UNKNOWN, *(token for token, _ in ranked[: max_size - 1]))


def encode(tokens: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Return the index of each token in the vocabulary, (tokens,), int32; 0 for unknown tokens."""
    indices = {token: index for index, token in enumerate(vocabulary)}
    return np.fromiter((indices.get(token, 0) for token in tokens), dtype=np.int32, count=len(tokens))


def encode_known(text: str, vocabulary: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the indices of a prompt's tokens in the vocabulary, and the tokens that are unknown.

    The unit of the tokens, characters or words, follows from the vocabulary. A word that is known only with or only
    without a space before it is encoded in the known form.
    """
    indices = {token: index for index, token in enumerate(vocabulary) if token != UNKNOWN}
    known, unknown = [], []
    for token in cut(text, unit_of(vocabulary)):
        form = next((form for form in (token, f" {token}", token.lstrip(" ")) if form in indices), None)
        if form is None:
            unknown.append(token)
        else:
            known.append(indices[form])
    return known, unknown


def decode(numbers: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Return the text of the tokens with these indices; -1 stands after the end of a short text."""
    return "".join(vocabulary[number] for number in numbers if number >= 0)
