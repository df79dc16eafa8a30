"""Tokens of a text: how much each surprises a language model, or adds to the class of the text."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from firstlight.data.tokens import cut, unit_of
from firstlight.runs.explain.outputs import Outputs
from firstlight.tasks import Classification, Language

_AT_A_TIME = 64  # texts that pass through the network together


class TokenLoss(NamedTuple):
    """A token and how likely it is after the tokens before it.

    Attributes:
        token: the token.
        loss: in nats; None for the first token of a text, which is given.
        expected: the most likely token at this place; None for the first token.
    """

    token: str
    loss: float | None
    expected: str | None


def token_losses(task: Language, raw: Tensor) -> list[list[TokenLoss]]:
    """Return the tokens of each text with their losses.

    Args:
        task: a language model, in evaluation mode.
        raw: token ids (texts, length), which end in -1 if a text is shorter than the longest.
    """
    losses, likeliest = task.token_losses(raw.to(task.device))
    labels = task.spec.labels
    texts = []
    for ids, of_text, best in zip(raw.tolist(), losses.tolist(), likeliest.tolist(), strict=True):
        known = [labels[index] for index in ids if index >= 0]
        after_first = zip(known[1:], of_text, [labels[index] for index in best], strict=False)
        texts.append([TokenLoss(known[0], None, None), *(TokenLoss(*each) for each in after_first)] if known else [])
    return texts


class TokenValue(NamedTuple):
    """A token and what it adds to a class.

    Attributes:
        token: the token.
        value: the logit of the class, minus that without the token.
    """

    token: str
    value: float


class Contributions(NamedTuple):
    """What the tokens of texts add to a class.

    Attributes:
        chosen: the explained class of each text.
        texts: the tokens of each text.
    """

    chosen: list[int]
    texts: list[list[TokenValue]]


@torch.inference_mode()
def token_contributions(
    task: Classification, raw: Tensor, texts: Sequence[str], chosen: int | None = None
) -> Contributions:
    """Return what each token adds to the logit of a class: the logit falls by this if the token alone is left out.

    Source: Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure", section 3. The
    values of a text do not add up to its logit, because tokens act together.

    Args:
        task: a classifier of texts, in evaluation mode.
        raw: token ids (texts, length), which end in -1.
        texts: the texts, whose words are shown even if the vocabulary does not have them.
        chosen: the class to explain; None for the most likely one of each text.
    """
    outputs = Outputs(task).eval()
    classes, found = [], []
    for row, original in zip(raw, texts, strict=True):
        text = row[row >= 0]
        rows = torch.cat([_padded(text)[None], _without_each(text)])
        numbers = torch.cat([outputs(task.preprocess(part.to(task.device))) for part in rows.split(_AT_A_TIME)])
        index = int(outputs.most_likely(numbers[:1])) if chosen is None else chosen
        values = (numbers[0, index] - numbers[1:, index]).tolist()
        classes.append(index)
        found.append(list(map(TokenValue, _words(text, original, task.spec.tokens), values)))
    return Contributions(classes, found)


def _words(text: Tensor, original: str, vocabulary: Sequence[str]) -> Sequence[str]:
    """Return the tokens as they stand in the text."""
    words = cut(original, unit_of(vocabulary))[: len(text)]
    return words if len(words) == len(text) else [vocabulary[index] for index in text.tolist()]


def _padded(text: Tensor) -> Tensor:
    """Return a text with an end, as long as the shorter ones have one: (length,), or (1,) if it is empty."""
    return text if len(text) else text.new_full((1,), -1)


def _without_each(text: Tensor) -> Tensor:
    """Return a text without each of its tokens in turn: (tokens, length), which ends in -1."""
    length = len(text)
    places = torch.arange(max(length - 1, 0)).expand(length, -1)
    kept = text[places + (places >= torch.arange(length)[:, None])] if length else text.new_empty(0, 0)
    return torch.cat([kept, text.new_full((length, min(length, 1)), -1)], 1) if length else text.new_empty(0, 1)
