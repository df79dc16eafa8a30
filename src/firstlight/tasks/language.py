"""Language modelling: the next token of a text."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.data.tokens import UNKNOWN, decode, encode_known
from firstlight.log import logger
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.meters import Sums, Totals
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.task import Batch, Task, random_like, ranked

_SHOWN = 80  # tokens of the sample after an epoch


class Language(Task):
    """Minimizes the cross entropy between the logits (batch, length, vocabulary) and the tokens that follow.

    A network that `has_state` is recurrent: it keeps its state from one batch to the next, because each batch
    continues the text of the batch before it (Mikolov et al. 2010; truncated backpropagation through time).

    Metrics: `loss` in nats per token, `perplexity`, and `bits_per_character`, the bits of all tokens divided by the
    number of their characters. Bits per character can be compared between vocabularies if no token is unknown: an
    unknown token costs as much as the one token that stands for all of them, and counts as one character.

    Args:
        spec: the data.
        network: takes tokens (batch, length), int64, and returns logits (batch, length, vocabulary).
        augment: turns raw batches into the network's inputs.
        transfer: which parts of the network learn, and when.
    """

    target_kind = "tokens"
    metrics: tuple[Metric, ...] = (
        LOSS,
        Metric("perplexity", "min"),
        Metric("bits_per_character", "min"),
        Metric("accuracy", "max"),
    )
    headline = ("accuracy", "bits_per_character")
    can_predict = True
    sample_suffix = ".txt"

    def __init__(self, spec: DataSpec, network: nn.Module, augment: Augment, transfer: Transfer | None = None) -> None:
        super().__init__(spec, network, augment, transfer)
        lengths = [1 if token == UNKNOWN else len(token) for token in spec.labels]
        self.register_buffer("lengths", torch.tensor(lengths), persistent=False)
        self.lengths: Tensor

    def output_shape(self) -> tuple[int, ...]:
        """Return the length and the size of the vocabulary."""
        return (*self.spec.input_shape, self.spec.num_outputs)

    def new_meter(self) -> Sums:
        """Return a meter of sums over tokens, at zero, and reset the network's state: a pass starts with the text."""
        self.stream_state = None
        return Sums(("count", "loss", "correct", "characters"), _metrics, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Return the mean cross entropy of the tokens of a raw batch."""
        tokens, targets = self.prepared(batch)
        targets = targets.long()
        logits = self._logits(tokens)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if targets.numel():
            meter.add(
                count=targets.numel(),
                loss=loss * targets.numel(),
                correct=(logits.argmax(2) == targets).sum(),
                characters=self.lengths[targets].sum(),
            )
        self.compare(logits, targets)
        return loss

    def example_comparison(self) -> Batch:
        """Return random logits, and the tokens in turn."""
        (length,), size = self.spec.input_shape, self.spec.num_outputs
        return random_like(2, length, size), (torch.arange(2 * length) % size).view(2, length)

    def metric_options(self) -> dict[str, Any]:
        """Return the kind of classification and the number of tokens in the vocabulary."""
        return {"task": "multiclass", "num_classes": self.spec.num_outputs}

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return logits and next tokens: (tokens, vocabulary) and (tokens,), or (batch, length, ...) as they are."""
        return [(outputs.flatten(0, 1), targets.flatten()), (outputs, targets)]

    def _logits(self, tokens: Tensor) -> Tensor:
        if not self.network.has_state:
            return self.network(tokens)
        # The last batch is smaller if some streams of text end before the others.
        state = self.stream_state
        if state is not None:
            state = _map(state, lambda part: part[:, : len(tokens)].contiguous())
        logits, state = self.network.step(tokens, state)
        self.stream_state = _map(state, Tensor.detach)
        return logits

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `probabilities` (batch, length, vocabulary) of the token that follows each token."""
        return {"probabilities": self.network(self.preprocess(raw)).float().softmax(2)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return `tokens`, `loss` and `perplexity` of each text, and `next_1` to `next_5`, the tokens likely to follow.

        The first token is given. The loss is the mean over the other tokens, in nats; it is None if there are none.
        """
        counts = (raw >= 0).sum(1)
        losses = torch.zeros(len(raw), device=raw.device)
        following = torch.zeros(len(raw), self.spec.num_outputs, device=raw.device)
        for start, log_probabilities, part in self._losses(raw):
            losses += part.sum(1)
            ends = ((counts > start) & (counts <= start + log_probabilities.shape[1])).nonzero()[:, 0]
            following[ends] = log_probabilities[ends, counts[ends] - 1 - start].exp()
        following[:, self.spec.labels.index(UNKNOWN)] = 0  # stands for no text
        likely = ranked(following.cpu(), [repr(token) for token in self.spec.labels], "next")
        found = zip((counts - 1).clamp_min(0).tolist(), losses.tolist(), likely, strict=True)
        return [_loss_columns(count, loss) | tokens for count, loss, tokens in found]

    @torch.inference_mode()
    def token_losses(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each token after the first in nats, and the token that is most likely at its place.

        Args:
            raw: token ids (batch, length). Texts that are shorter than the longest end in -1.

        Returns:
            The losses (batch, length - 1), which are 0 after the end of a text, and the tokens, of the same shape.
        """
        parts = [(losses, found[:, : losses.shape[1]].argmax(2)) for _, found, losses in self._losses(raw)]
        losses, likeliest = zip(*parts, strict=True)
        return torch.cat(losses, 1), torch.cat(likeliest, 1)

    def _losses(self, raw: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield where each part of the texts starts, the log probabilities after its tokens, and the losses.

        The log probabilities are (batch, part of the length, vocabulary), and the losses those of the tokens that
        follow, (batch, part of the length), one fewer at the end, and 0 where a text has ended.
        """
        for start, logits in self._windows(self.preprocess(raw.clamp_min(0))):
            log_probabilities = logits.float().log_softmax(2)
            targets = raw[:, start + 1 : start + 1 + logits.shape[1]].long()
            own = log_probabilities[:, : targets.shape[1]].gather(2, targets.clamp_min(0)[..., None])[..., 0]
            yield start, log_probabilities, -own * (targets >= 0)

    def _windows(self, tokens: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield the logits of texts of any length, (batch, part of the length, vocabulary), and where each part starts.

        A network without a state reads every token after half a window of other tokens, if there are as many.
        """
        (length,) = self.spec.input_shape
        if self.network.has_state:
            state: Any = None
            for start in range(0, tokens.shape[1], length):
                logits, state = self.network.step(tokens[:, start : start + length], state)
                yield start, logits
            return
        half = (length + 1) // 2
        for start in range(0, tokens.shape[1], half):
            first = max(0, start + half - length)
            yield start, self.network(tokens[:, first : start + half])[:, start - first :]

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the loss, the perplexity and the most likely next token."""
        numbers = [
            f"{name} {'-' if row[name] is None else format(row[name], '.4g')}" for name in ("loss", "perplexity")
        ]
        return (*numbers, f"next {row['next_1'].rpartition('=')[0]}")

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `sample`, a short text with the same random choices each time; `raw` (batch, ...) has no effect."""
        return {} if is_final else {"sample": self.sample(length=_SHOWN)}

    @property
    def can_sample(self) -> bool:
        """Whether the trained network generates samples."""
        return True

    def example_output(self, raw: Tensor) -> str:
        """Return a generated text."""
        return self.sample()

    @torch.inference_mode()
    def sample(
        self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1, number: int = 1
    ) -> str:
        """Return the prompt and its continuation, token by token.

        Args:
            prompt: the beginning of the text. Words and characters outside the vocabulary are dropped and logged.
            length: tokens to generate.
            temperature: below 1, likely tokens become more likely; 0 chooses the most likely token, and infinity
                chooses all tokens equally often.
            seed: seed of the random choice of tokens.
            number: has no effect, as one text is generated.

        Raises:
            ValueError: `length` or `temperature` is negative.
        """
        check_range("length", length, at_least=0)
        check_range("temperature", temperature, at_least=0)
        was_training = self.training
        self.eval()
        random = torch.Generator().manual_seed(seed)
        known, dropped = encode_known(prompt, self.spec.labels)
        if dropped:
            logger.warning(f"dropped from the prompt, not in the vocabulary: {', '.join(map(repr, dropped))}")
        allowed = torch.ones(len(self.spec.labels))
        allowed[self.spec.labels.index(UNKNOWN)] = 0  # the unknown token stands for no text
        tokens = known or [int(torch.multinomial(allowed, 1, generator=random))]
        state: Any = None
        new = tokens
        for _ in range(length):
            if self.network.has_state:
                logits, state = self.network.step(torch.tensor([new], device=self.device), state)
            else:
                window = tokens[-self.spec.input_shape[0] :]
                logits = self.network(torch.tensor([window], device=self.device))
            new = [_draw(logits[0, -1].float().cpu(), allowed, temperature, random)]
            tokens = tokens + new
        self.train(was_training)
        return decode(tokens, self.spec.labels)


def _draw(logits: Tensor, allowed: Tensor, temperature: float, random: torch.Generator) -> int:
    """Draw a token from the softmax of logits (vocabulary,) divided by the temperature."""
    # The largest logit becomes 0, so nothing overflows however small the temperature is.
    logits = logits - logits[allowed > 0].max()
    logits[allowed == 0] = 0  # any number will do: its weight is 0
    weights = (logits / max(temperature, 1e-30)).exp() * allowed
    return int(torch.multinomial(weights, 1, generator=random) if temperature else weights.argmax())


def _map(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change every tensor of a state; the state of an LSTM has two."""
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)


def _loss_columns(count: int, loss: float) -> dict[str, Any]:
    """Return the columns for a text of `count` predicted tokens whose losses sum to `loss`."""
    if not count:
        return {"tokens": 0, "loss": None, "perplexity": None}
    perplexity = math.exp(min(loss / count, 700.0))
    return {"tokens": count, "loss": round(loss / count, 6), "perplexity": round(perplexity, 6)}


def _metrics(sums: Totals) -> Totals:
    count = max(1.0, sums["count"])
    loss = sums["loss"] / count
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_character": sums["loss"] / math.log(2) / max(1.0, sums["characters"]),
        "accuracy": sums["correct"] / count,
    }
