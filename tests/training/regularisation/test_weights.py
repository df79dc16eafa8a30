import pytest
import torch
from torch import nn

from firstlight.training.regularisation import Weights
from helpers.small import IMAGES, fit, images


def network() -> nn.Module:
    parts = {
        "words": nn.Embedding(5, 4),
        "features": nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)),
        "fc1": nn.Linear(4, 3),
    }
    return nn.ModuleDict(parts)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (None, "words.weight features.0.weight features.2.weight fc1.weight"),
        (["fc1.weight"], "fc1.weight"),
        (["fc1.bias"], "fc1.bias"),
        (["features"], "features.0.weight features.2.weight"),
        (["features.1.weight", "fc1"], "features.1.weight fc1.weight"),
        (["features.?"], "features.0.weight features.2.weight"),
        (["fc*"], "fc1.weight fc1.bias"),
        ([], ""),
    ],
)
def test_names_of_layers_mean_their_weights_and_names_of_parameters_any(
    patterns: list[str] | None, expected: str
) -> None:
    built = network()
    names = {id(parameter): name for name, parameter in built.named_parameters()}
    assert [names[id(each)] for each in Weights(built, patterns).of(built)] == expected.split()


def test_a_pattern_that_matches_nothing_is_refused_with_the_names_before_the_training() -> None:
    names = r"The parameters are hidden\.0\.weight, hidden\.0\.bias, output\.weight, output\.bias\."
    words = ("model=mlp", "model.hidden_sizes=[4]", "task.l1=1", "task.penalised=[output.wieght]", "logger=none")
    with pytest.raises(ValueError, match=rf"task\.penalised=output\.wieght: .*'output\.weight'\? {names}"):
        fit(IMAGES, images(4), *words, batch_size=4)


def test_the_weights_of_a_layer_know_their_layer() -> None:
    built = network()
    found = [(type(layer), name) for layer, name, _ in Weights(built, ["fc1", "words"]).layers_of(built)]
    assert found == [(nn.Embedding, "weight"), (nn.Linear, "weight")]
    assert torch.is_tensor(next(Weights(built).of(built)))
