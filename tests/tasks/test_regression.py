from typing import Any

import numpy as np
import pytest
import torch
from sklearn import linear_model, metrics
from sklearn.datasets import load_diabetes
from torch.nn import functional as F

from firstlight.config.options import Regularisation
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays
from firstlight.networks import MLP, Linear
from firstlight.spec import DataSpec
from firstlight.tasks import Regression
from firstlight.tasks.task import Batch
from firstlight.training.regularisation import penalty
from helpers.small import NUMBERS, augment, metrics_of, train_on

LINE = DataSpec((1,), 1, ("y",), (0.0,), (1.0,), target_mean=(0.0,), target_std=(1.0,))
POINTS = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [5.0]])


def samples(number: int) -> Batch:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(number, 2, generator=random)
    return inputs, 10 + 3 * (inputs.sum(1, keepdim=True) + torch.randn(number, 1, generator=random))


def regression(**options: Any) -> Regression:
    return Regression(NUMBERS, Linear(NUMBERS, start=[1.0, 0.5, 0.1]), augment(NUMBERS), **options)


def test_the_metrics_equal_those_of_scikit_learn_in_the_units_of_the_data() -> None:
    task, (inputs, targets) = regression(), samples(50)
    found = metrics_of(task, *zip(inputs.split([20, 29, 1]), targets.split([20, 29, 1]), strict=True))
    with torch.no_grad():
        outputs = task.network(task.preprocess(inputs)) * 3 + 10
    expected = {
        "mse": metrics.mean_squared_error(targets, outputs),
        "rmse": metrics.root_mean_squared_error(targets, outputs),
        "mae": metrics.mean_absolute_error(targets, outputs),
        "r2": metrics.r2_score(targets, outputs),
        "explained_variance": metrics.explained_variance_score(targets, outputs),
    }
    expected["loss"] = expected["mse"] / 9  # of targets with a standard deviation of 1
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(found) == set(task.metric_names)


@pytest.mark.parametrize(("loss", "function"), [("mse", F.mse_loss), ("mae", F.l1_loss), ("huber", F.huber_loss)])
def test_the_loss_is_computed_from_standardized_targets(loss: str, function: Any) -> None:
    task, (inputs, targets) = regression(loss=loss), samples(20)
    expected = function(task.network(task.preprocess(inputs)), (targets - 10) / 3)
    torch.testing.assert_close(task.batch_loss((inputs, targets), task.new_meter()), expected)


def test_an_empty_batch_changes_no_metric() -> None:
    task, (inputs, targets) = regression(), samples(20)
    assert metrics_of(task, (inputs, targets), (inputs[:0], targets[:0])) == metrics_of(task, (inputs, targets))


def test_r2_is_nan_if_all_targets_are_equal() -> None:
    assert np.isnan(metrics_of(regression(), (samples(5)[0], torch.full((5, 1), 4.0)))["r2"])


def test_it_overfits_a_batch() -> None:
    torch.manual_seed(0)
    task = Regression(NUMBERS, MLP(NUMBERS, hidden_sizes=(64,), activation="tanh"), augment(NUMBERS))
    assert train_on(task, samples(8), steps=400, lr=0.02) < 0.001


def test_the_start_of_a_linear_network_decides_the_metrics_before_the_first_step() -> None:
    task = Regression(LINE, Linear(LINE, start=[-1, 5]), augment(LINE))
    found = metrics_of(task, POINTS)
    assert (found["mse"], found["mae"]) == (2.5, 1.5)
    assert task.result_line() == "y = -1.0000 x + 5.0000"


def test_the_result_line_of_a_linear_network_of_one_input_is_in_the_units_of_the_data() -> None:
    spec = DataSpec((1,), 1, ("price",), (2.0,), (4.0,), target_mean=(10.0,), target_std=(8.0,))
    task = Regression(spec, Linear(spec, start=[1.5, -2.0]), augment(spec))
    assert task.result_line() == "price = 3.0000 x - 12.0000"  # 8 * (1.5 * (x - 2) / 4 - 2) + 10
    assert regression().result_line() is None
    assert Regression(spec, MLP(spec), augment(spec)).result_line() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "msee"}, "loss=msee: unknown loss, did you mean 'mse'"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regression(**options)


@pytest.fixture(scope="module")
def diabetes() -> tuple[DataSpec, Batch]:
    """Return the spec and all rows of the diabetes data, neither scaled nor split."""
    inputs, targets = load_diabetes(return_X_y=True, scaled=False)
    arrays = Arrays(inputs.astype(np.float32), targets.astype(np.float32)[:, None])
    return describe(("target",), arrays), (torch.from_numpy(arrays.inputs), torch.from_numpy(arrays.targets))


def descend(task: Regression, batch: Batch, options: Regularisation, decay: float = 1.0) -> np.ndarray:
    """Return the weights after full-batch gradient descent."""
    optimizer = torch.optim.SGD(task.network.parameters(), lr=0.2, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, decay)
    task.train()
    for _ in range(400):
        optimizer.zero_grad()
        loss = task.batch_loss(batch, task.new_meter())
        (loss + penalty([task.network.output.weight], options)).backward()
        optimizer.step()
        scheduler.step()
    return task.network.output.weight.detach().numpy()[0]


@pytest.mark.parametrize("name", ["least squares", "ridge", "lasso"])
def test_gradient_descent_converges_to_the_solution_of_scikit_learn(
    name: str, diabetes: tuple[DataSpec, Batch]
) -> None:
    spec, (inputs, targets) = diabetes
    columns = ((inputs.double() - torch.tensor(spec.mean)) / torch.tensor(spec.std)).numpy()
    column = ((targets.double() - torch.tensor(spec.target_mean)) / torch.tensor(spec.target_std)).numpy()[:, 0]
    weight = 0.1
    # scikit-learn minimizes sum(errors²) + alpha * sum(weights²) for ridge, and for lasso
    # mean(errors²) / 2 + alpha * sum(|weights|).
    solver, options = {
        "least squares": (linear_model.LinearRegression(), Regularisation(l2=1e-12)),
        "ridge": (linear_model.Ridge(alpha=len(columns) * weight), Regularisation(l2=weight)),
        "lasso": (linear_model.Lasso(alpha=weight / 2, tol=1e-8), Regularisation(l1=weight)),
    }[name]
    expected = solver.fit(columns, column).coef_
    task = Regression(spec, Linear(spec), augment(spec))
    found = descend(task, (inputs, targets), options, decay=0.98 if options.l1 else 1.0)
    assert np.abs(found - expected).max() < 1e-3
    least_squares = linear_model.LinearRegression().fit(columns, column).coef_
    assert name == "least squares" or np.abs(expected - least_squares).max() > 0.01
