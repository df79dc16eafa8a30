"""Texts in rows as windows of tokens: the rows follow each other, each on a line of its own."""

from collections.abc import Mapping, Sequence

from firstlight.data.store import Arrays
from firstlight.data.tokens import build_vocabulary, cut, encode


def windows(
    texts: Mapping[str, Sequence[str]], unit: str, length: int, max_vocabulary: int, fractions: Mapping[str, float]
) -> tuple[tuple[str, ...], dict[str, Arrays]]:
    """Return the vocabulary of the training text, and the windows of each split with their next tokens.

    Args:
        texts: the rows of `train` and, if there are any, of `val` and `test`.
        unit: see `tokens.UNITS`.
        length: tokens of a window.
        max_vocabulary: maximum size of the vocabulary.
        fractions: the part at the end of `train` that becomes `val` or `test`, if these are missing.

    Returns:
        The vocabulary, and tokens and next tokens, (windows, length) each, int32.

    Raises:
        ValueError: a split is shorter than a window.
    """
    parts = {split: cut("".join(row.rstrip("\n") + "\n" for row in rows), unit) for split, rows in texts.items()}
    whole = len(parts["train"])
    for split in ("test", "val"):
        if split not in parts:
            end = len(parts["train"]) - round(whole * fractions[split])
            parts["train"], parts[split] = parts["train"][:end], parts["train"][end:]
    vocabulary = build_vocabulary(parts["train"], max_vocabulary)
    found = {}
    for split, tokens in parts.items():
        if len(tokens) <= length:
            raise ValueError(
                f"data.length={length}: must be less than {len(tokens):,}, the number of {unit} in {split}."
            )
        numbers = encode(tokens, vocabulary)
        end = (len(numbers) - 1) // length * length
        found[split] = Arrays(numbers[:end].reshape(-1, length), numbers[1 : end + 1].reshape(-1, length))
    return vocabulary, found
