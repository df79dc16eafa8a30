"""Texts of a batch that are shorter than the longest: where they end."""

from torch import Tensor


def without_ends(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return tokens that an embedding takes, and which of them are tokens of a text.

    Args:
        tokens: (batch, length), int64, with -1 after the ends of short texts.

    Returns:
        Tokens (batch, length) with 0 in place of -1, and (batch, length), bool: False after the end. The first token
        of a text always counts, so that no text is empty.
    """
    is_text = tokens >= 0
    is_text[:, 0] = True
    return tokens.clamp(min=0), is_text
