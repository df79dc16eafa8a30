import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.data import BatchLoader, Split
from firstlight.data.tokens import UNKNOWN
from firstlight.networks import GRU, LSTM, Transformer
from firstlight.spec import DataSpec
from firstlight.tasks import Language
from helpers.small import TOKENS, augment, metrics_of, text, train_on

TRANSFORMER = {"embedding_dim": 32, "num_layers": 1}
WORDS = DataSpec((5,), 5, ("<unk>", "ab", " cde", "!", " "), (), ())


def language(network_class: Any = LSTM, spec: DataSpec = TOKENS, **options: Any) -> Language:
    torch.manual_seed(0)
    return Language(spec, network_class(spec, **options), augment(spec)).eval()


def losses_of(task: Language, tokens: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of each token of each stream (streams, length), read in one long pass."""
    with torch.no_grad():
        logits, _ = task.network.step(tokens.long(), None)
        return F.cross_entropy(logits.transpose(1, 2), targets.long(), reduction="none")


@pytest.mark.parametrize("network_class", [LSTM, GRU])
def test_consecutive_batches_equal_one_long_pass_because_the_state_is_kept(network_class: Any) -> None:
    task, (tokens, targets) = language(network_class), text(12)
    streams = [part.view(3, 4, 5) for part in (tokens, targets)]
    found = metrics_of(task, *((streams[0][:, window], streams[1][:, window]) for window in range(4)))
    expected = losses_of(task, *(part.flatten(1) for part in streams))
    assert found["loss"] == pytest.approx(float(expected.mean()), rel=1e-6)
    alone = losses_of(task, tokens, targets)
    assert abs(float(alone.mean()) - found["loss"]) > 1e-4


def test_the_last_batch_is_smaller_if_some_streams_end_earlier() -> None:
    task, batch = language(), text(8)
    loader = BatchLoader(Split(*batch, consecutive=True), 3)  # streams of 3, 3 and 2 windows
    assert [len(inputs) for inputs, _ in loader] == [3, 3, 2]
    expected = [
        losses_of(task, *(part[rows].flatten()[None] for part in batch))
        for rows in (slice(3), slice(3, 6), slice(6, 8))
    ]
    assert metrics_of(task, *loader)["loss"] == pytest.approx(float(torch.cat(expected, 1).mean()), rel=1e-6)


def test_every_pass_starts_without_state_and_an_empty_batch_changes_no_metric() -> None:
    task, (tokens, targets) = language(), text(4)
    alone = metrics_of(task, (tokens, targets))
    assert metrics_of(task, (tokens, targets)) == alone
    assert metrics_of(task, (tokens, targets), (tokens[:0], targets[:0])) == alone


@pytest.mark.parametrize("network_class", [LSTM, GRU])
def test_gradients_end_at_the_beginning_of_a_batch(network_class: Any) -> None:
    task = language(network_class).train()
    task.batch_loss(text(2), task.new_meter())
    state = task.stream_state
    assert not any(part.requires_grad for part in (state if isinstance(state, tuple) else [state]))


@pytest.mark.parametrize("spec", [TOKENS, WORDS])
def test_all_metrics_follow_from_the_losses_of_the_tokens(spec: DataSpec) -> None:
    task, (tokens, targets) = language(spec=spec), text(6, spec)
    found, losses = metrics_of(task, (tokens, targets)), losses_of(task, tokens, targets)
    lengths = {"<unk>": 1, "ab": 2, " cde": 4, "!": 1, " ": 1} | dict.fromkeys("abcde", 1)
    characters = sum(lengths[spec.labels[number]] for number in targets.flatten().tolist())
    assert found["loss"] == pytest.approx(float(losses.mean()), rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(float(losses.mean())), rel=1e-6)
    assert found["bits_per_character"] == pytest.approx(float(losses.sum()) / math.log(2) / characters, rel=1e-6)
    with torch.no_grad():
        correct = task.network(tokens.long()).argmax(2) == targets
    assert found["accuracy"] == pytest.approx(float(correct.float().mean()))
    assert set(found) == set(task.metric_names)


def test_the_perplexity_of_an_enormous_loss_is_finite() -> None:
    task = language()
    with torch.no_grad():
        task.network.output.bias[1:] = -1e6
    found = metrics_of(task, (torch.zeros(2, 5), torch.ones(2, 5)))
    assert found["loss"] > 1e5
    assert math.isfinite(found["perplexity"])


@pytest.mark.parametrize(("network_class", "options"), [(LSTM, {}), (Transformer, TRANSFORMER)])
def test_it_overfits_a_text_and_then_generates_it(network_class: Any, options: dict[str, Any]) -> None:
    spec = replace(TOKENS, input_shape=(10,))
    task = language(network_class, spec, **options)
    tokens = torch.tensor([[1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 1]])
    assert train_on(task, (tokens[:, :-1], tokens[:, 1:]), steps=150, lr=0.01) < 0.05
    assert task.sample("abcd", length=7, temperature=0.0) == "abcdeedcbaa"


def test_samples_follow_from_the_seed_and_begin_with_the_prompt() -> None:
    task = language()
    assert task.sample("ab", length=50) == task.sample("ab", length=50)
    assert task.sample("ab", length=50) != task.sample("ab", length=50, seed=2)
    assert task.sample("aXb", length=50).startswith("ab")
    assert len(task.sample("ab", length=50)) == 52
    assert task.sample("ab", length=0) == "ab"


@pytest.mark.parametrize("network_class", [LSTM, Transformer])
def test_unknown_tokens_are_never_generated(network_class: Any) -> None:
    task = language(network_class)
    with torch.no_grad():
        task.network.output.weight.mul_(0)
    for temperature in (5.0, math.inf):
        assert set(task.sample(length=200, temperature=temperature)) == set("abcde")
    assert all(UNKNOWN not in task.sample(length=0, seed=seed) for seed in range(50))


def test_tiny_temperatures_choose_the_most_likely_token() -> None:
    task = language()
    for tiny in (1e-38, 1e-45):
        assert task.sample("ab", length=30, temperature=tiny) == task.sample("ab", length=30, temperature=0.0)


def test_sampling_keeps_the_mode_of_the_task() -> None:
    task = language().train()
    task.sample("a", length=3)
    assert task.training
    assert task.example_output(torch.zeros(1, 5)) == task.sample()


@pytest.mark.parametrize(("key", "value"), [("length", -1), ("temperature", -0.5), ("temperature", math.nan)])
def test_a_negative_length_or_temperature_raises_an_error(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{key}={value}: must be at least 0\.$"):
        language().sample(**{key: value})  # type: ignore[arg-type]  # length is a whole number
