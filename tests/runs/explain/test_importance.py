from dataclasses import replace

import pytest
import torch
from torch import nn

from firstlight.data import Split
from firstlight.runs.explain.contributions import explain_rows
from firstlight.runs.explain.importance import column_inputs, permutation_importance
from firstlight.spec import Column, DataSpec
from firstlight.tasks import Regression
from helpers.small import augment

COLUMNS = (
    Column("size", "number"),
    Column("colour", "category", ("red", "blue")),
    Column("age", "number", has_flag=True),
)
# The size has mean 3 and standard deviation 2; the indicators stay as they are.
SPEC = DataSpec(
    (5,), 1, ("y",), (3.0, 0, 0, 1, 0), (2.0, 1, 1, 1, 1), columns=COLUMNS, target_mean=(10.0,), target_std=(4.0,)
)


def task(*weights: float) -> Regression:
    """Return a linear regression with these weights of the standardised inputs."""
    network = nn.Linear(5, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([weights]))
        network.bias.zero_()
    return Regression(SPEC, network, augment(SPEC)).eval()


def rows() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    numbers = torch.randn(200, 5, generator=random)
    numbers[:, 0] = 3 + 2 * numbers[:, 0]
    numbers[:, 1] = (numbers[:, 1] > 0).float()
    numbers[:, 2] = 1 - numbers[:, 1]
    return numbers


def test_the_inputs_of_a_column_belong_together() -> None:
    assert column_inputs(SPEC) == {"size": slice(0, 1), "colour": slice(1, 3), "age": slice(3, 5)}
    assert list(column_inputs(replace(SPEC, columns=()))) == [f"column {number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("weights", "column"), [((1.0, 0, 0, 0, 0), "size"), ((0.0, 1, -1, 0, 0), "colour"), ((0.0, 0, 0, 1, 2), "age")]
)
def test_the_one_column_that_matters_is_found(weights: tuple[float, ...], column: str) -> None:
    judged, inputs = task(*weights), rows()
    split = Split(inputs, judged.answers(inputs)["numbers"].detach())
    metric, value, found = permutation_importance(judged, split, repeats=3)
    assert (metric.name, value) == ("r2", pytest.approx(1))
    assert found[0].name == column
    assert found[0].mean > 0.5
    # A shuffled column of independent values leaves r2 = 1 - 2 var / var, apart from chance.
    assert found[0].mean == pytest.approx(2, abs=0.5)
    assert 0 < found[0].std < 0.5
    assert [(each.mean, each.std) for each in found[1:]] == [(0, 0)] * 2
    again = permutation_importance(judged, split, repeats=3)[2]
    assert again == found
    assert permutation_importance(judged, split, repeats=3, seed=2)[2] != found


def test_the_columns_of_a_row_add_up_to_its_prediction() -> None:
    judged = task(0.5, 1, -1, 0.25, 2)
    raw = torch.tensor([[7.0, 1, 0, 1, 0], [3.0, 0, 1, 3, 1]])
    found = explain_rows(judged, raw)
    assert found.columns == ["size", "colour", "age"]
    # In the target's units: 4 times the weights; the mean row predicts 10.
    expected = torch.tensor([[4 * 0.5 * 2, 4.0, 0.0], [0.0, -4.0, 4 * (0.25 * 2 + 2)]])
    assert found.values == pytest.approx(expected, abs=1e-4)
    assert found.start.tolist() == [10, 10]
    assert (found.start + found.values.sum(1)) == pytest.approx(judged.answers(raw)["numbers"][:, 0].detach(), abs=1e-4)
