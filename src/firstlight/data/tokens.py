"""Text to tokens and back: nothing is lost but what is not in the vocabulary."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

UNKNOWN = "<unk>"
UNITS = ("characters", "words")

# A word or a mark with the space before it, or any other white space: joined, they are the text again.
_WORDS = re.compile(r" ?\w+| ?[^\w\s]|\s+")


def cut(text: str, unit: str) -> Sequence[str]:
    """The tokens of a text; joined, they are the text."""
    return text if unit == "characters" else _WORDS.findall(text)


def build_vocabulary(tokens: Iterable[str], max_size: int) -> tuple[str, ...]:
    """`<unk>`, then the most frequent tokens; equally frequent ones in the order of the characters."""
    ranked = sorted(Counter(tokens).items(), key=lambda entry: (-entry[1], entry[0]))
    return (UNKNOWN, *(token for token, _ in ranked[: max_size - 1]))


def encode(tokens: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """(tokens,), int32: the place of each in the vocabulary, 0 for what is not in it."""
    places = {token: place for place, token in enumerate(vocabulary)}
    return np.fromiter((places.get(token, 0) for token in tokens), dtype=np.int32, count=len(tokens))


def encode_known(text: str, vocabulary: Sequence[str]) -> tuple[list[int], list[str]]:
    """The tokens of a prompt that are in a vocabulary of characters or of words, and the pieces that are not.

    A word that is known only with a space before it, or only without, is taken so.
    """
    unit = "words" if any(len(token) > 1 for token in vocabulary if token != UNKNOWN) else "characters"
    places = {token: place for place, token in enumerate(vocabulary) if token != UNKNOWN}
    known, unknown = [], []
    for piece in cut(text, unit):
        form = next((form for form in (piece, f" {piece}", piece.lstrip(" ")) if form in places), None)
        if form is None:
            unknown.append(piece)
        else:
            known.append(places[form])
    return known, unknown


def decode(numbers: Iterable[int], vocabulary: Sequence[str]) -> str:
    """The text of tokens."""
    return "".join(vocabulary[number] for number in numbers)
