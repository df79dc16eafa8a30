from typing import Any

import pytest
import torch
from torch import nn

from firstlight.training.regularisation import Weights, limit_norms
from helpers.small import IMAGES, fit, images

FAST = ("optimizer=sgd", "optimizer.lr=1", "scheduler=constant", "logger=none")


def norms(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    """Return the norm of the weights into each unit."""
    rows = weight.detach().transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight.detach()
    return rows.reshape(len(rows), -1).norm(dim=1)


@pytest.mark.parametrize(
    "layer", [nn.Linear(6, 3), nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3), nn.LSTM(6, 3)], ids=lambda x: str(x)[:5]
)
def test_only_units_above_the_limit_shrink_and_keep_their_direction(layer: Any) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    before = {name: value.clone() for name, value in layer.named_parameters()}
    limit = float(torch.cat([norms(layer, value) for value in before.values() if value.ndim > 1]).median())
    limit_norms(Weights(layer), layer, limit)
    for name, value in layer.named_parameters():
        if value.ndim < 2:
            assert torch.equal(value, before[name])
            continue
        old, new = norms(layer, before[name]), norms(layer, value)
        torch.testing.assert_close(new, old.clamp(max=limit))
        assert torch.nn.functional.cosine_similarity(value.flatten(1), before[name].flatten(1)).min() > 0.5
    assert all(float(norms(layer, value).max()) <= limit * 1.0001 for value in layer.parameters() if value.ndim > 1)


def test_embeddings_have_no_incoming_weights() -> None:
    layer = nn.Embedding(4, 4)
    before = layer.weight.detach().clone()
    limit_norms(Weights(layer), layer, 1e-3)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("words", [("model=mlp",), ("model=gan", "model.base_channels=4", "optimizer.lr=0.01")])
def test_after_each_step_no_unit_is_above_the_limit(words: tuple[str, ...]) -> None:
    module, _ = fit(IMAGES, images(24), *FAST, *words, "task.max_norm=0.3", batch_size=8)
    free, _ = fit(IMAGES, images(24), *FAST, *words, batch_size=8)

    def largest(trained: Any) -> float:
        network = trained.task.network
        found = Weights(network).layers_of(network)
        return max(float(norms(layer, weight).max()) for layer, _, weight in found)

    assert largest(module) <= 0.3001 < largest(free)


def test_other_weights_than_the_chosen_ones_are_free() -> None:
    words = ("model=mlp", "task.max_norm=0.1", "task.penalised=[output]")
    module, _ = fit(IMAGES, images(24), *FAST, *words, batch_size=8)
    network = module.task.network
    assert float(norms(network.output, network.output.weight).max()) <= 0.1001
    assert float(norms(network.hidden[0], network.hidden[0].weight).max()) > 0.1001
