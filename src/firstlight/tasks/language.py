"""The next token of a text."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.data.tokens import UNKNOWN, decode, encode_known
from firstlight.log import logger
from firstlight.spec import DataSpec
from firstlight.tasks.recipe import Recipe
from firstlight.tasks.sums import Sums, Totals
from firstlight.tasks.task import Batch, Task


class Language(Task):
    """Cross entropy between the network's scores (batch, length, vocabulary) and the tokens that follow.

    A network with a `step` is recurrent: what it knows at the end of a window it still knows at the beginning of the
    next one, because batches follow each other in the text (Mikolov et al. 2010; truncated backpropagation).

    Metrics: `loss` in nats per token, `perplexity`, and `bits_per_character`, which can be compared between
    vocabularies that leave no token unknown: the bits of all tokens, shared by the characters that they stand for. An
    unknown token, whatever it was, costs no more than the one that stands for all of them, and counts as one character.
    """

    target_kind = "tokens"
    metric_names = ("loss", "perplexity", "bits_per_character", "accuracy")

    def __init__(self, spec: DataSpec, network: nn.Module, augment: Augment, recipe: Recipe | None = None) -> None:
        super().__init__(spec, network, augment, recipe)
        self._state: Any = None
        lengths = [1 if token == UNKNOWN else len(token) for token in spec.labels]
        self.register_buffer("lengths", torch.tensor(lengths), persistent=False)
        self.lengths: Tensor

    def new_meter(self) -> Sums:
        """Sums over tokens; the pass begins at the beginning of the text."""
        self._state = None
        return Sums(("count", "loss", "right", "characters"), _scores, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Mean cross entropy of the tokens of a raw batch."""
        tokens, targets = self.prepared(batch)
        targets = targets.long()
        logits = self._logits(tokens)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if targets.numel():
            meter.add(
                count=targets.numel(),
                loss=loss * targets.numel(),
                right=(logits.argmax(2) == targets).sum(),
                characters=self.lengths[targets].sum(),
            )
        return loss

    def _logits(self, tokens: Tensor) -> Tensor:
        if not hasattr(self.network, "step"):
            return self.network(tokens)
        # Where the text ends for some streams before the others, the last batch is smaller.
        state = None if self._state is None else _each(self._state, lambda part: part[:, : len(tokens)].contiguous())
        logits, state = self.network.step(tokens, state)
        self._state = _each(state, Tensor.detach)
        return logits

    def on_validation_epoch_start(self) -> None:
        """In the middle of a training epoch, what the network has read there is kept aside."""
        self._training_state = self._state
        super().on_validation_epoch_start()

    def on_validation_epoch_end(self) -> None:
        """Back to where the training was."""
        super().on_validation_epoch_end()
        self._state = self._training_state

    @property
    def can_sample(self) -> bool:
        """A text goes on from nothing."""
        return True

    def show(self, raw: Tensor) -> str:
        """A text that nobody wrote."""
        return self.sample()

    @torch.inference_mode()
    def sample(self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1) -> str:
        """A continuation of the prompt, token by token.

        Args:
            prompt: how the text begins; words and characters that the training never saw are left out, and told.
            length: tokens to be written.
            temperature: below 1 likelier tokens become likelier still; 0 takes the likeliest, infinity any.
            seed: of the draws.

        Raises:
            ValueError: a length or temperature below 0.
        """
        if length < 0 or not temperature >= 0:
            raise ValueError(f"length={length} temperature={temperature}: both are 0 or more.")
        was_training = self.training
        self.eval()
        random = torch.Generator().manual_seed(seed)
        unknown = self.spec.labels.index(UNKNOWN)
        known, left_out = encode_known(prompt, self.spec.labels)
        if left_out:
            logger.warning(f"left out of the prompt, for it is not in the vocabulary: {', '.join(map(repr, left_out))}")
        wanted = torch.ones(len(self.spec.labels))
        wanted[unknown] = 0  # nobody wants to read it
        tokens = known or [int(torch.multinomial(wanted, 1, generator=random))]
        state: Any = None
        window = self.spec.input_shape[0]
        recurrent = hasattr(self.network, "step")
        unread = tokens
        for _ in range(length):
            if recurrent:
                logits, state = self.network.step(torch.tensor([unread], device=self.device), state)
            else:
                logits = self.network(torch.tensor([tokens[-window:]], device=self.device))
            scores = logits[0, -1].float().cpu()
            # From the largest score downwards: however small the temperature is, nothing overflows.
            scores -= scores[wanted > 0].max()
            scores[unknown] = 0  # whatever it is, it counts as nothing
            scores = (scores / max(temperature, 1e-30)).exp() * wanted
            unread = [int(torch.multinomial(scores, 1, generator=random) if temperature else scores.argmax())]
            tokens = tokens + unread
        self.train(was_training)
        return decode(tokens, self.spec.labels)


def _each(state: Any, change: Any) -> Any:
    """The state with all its tensors changed; an LSTM has two."""
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)


def _scores(sums: Totals) -> Totals:
    count = max(1.0, sums["count"])
    loss = sums["loss"] / count
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_character": sums["loss"] / math.log(2) / max(1.0, sums["characters"]),
        "accuracy": sums["right"] / count,
    }
