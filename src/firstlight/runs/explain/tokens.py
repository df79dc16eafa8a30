"""The loss of each token of a text: how much it surprises a language model."""

from typing import NamedTuple

from torch import Tensor

from firstlight.tasks import Language


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
