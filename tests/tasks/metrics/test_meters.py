import pytest
import torch

from firstlight.tasks.metrics.meters import Sums, means

CPU = torch.device("cpu")


def mean_of(sums: dict[str, float]) -> dict[str, float]:
    return {"mean": sums["total"] / sums["count"]}


def test_values_of_any_type_are_added_up_by_name() -> None:
    meter = Sums(("count", "total"), mean_of, CPU)
    meter.add(count=2, total=torch.tensor(5.0))
    meter.add(total=torch.tensor(1), count=1)
    assert meter.compute() == {"mean": 2.0}


def test_a_sum_of_millions_keeps_its_last_digits() -> None:
    meter = Sums(("count", "total"), mean_of, CPU)
    for _ in range(10):
        meter.add(count=1, total=torch.tensor(2.0**24))
        meter.add(count=1, total=torch.tensor(1.0))
    assert meter.totals.tolist() == [20, 10 * (2**24 + 1)]


def test_the_sums_of_several_processes_are_added_in_place() -> None:
    first, second = (Sums(("count", "total"), mean_of, CPU) for _ in range(2))
    first.add(count=1, total=3)
    second.add(count=3, total=1)
    for total, more in zip(first.sums(), second.sums(), strict=True):
        total += more
    assert first.compute() == {"mean": 1.0}


def test_sums_do_not_keep_the_graph_of_the_gradients() -> None:
    meter = Sums(("total",), dict, CPU)
    meter.add(total=torch.ones((), requires_grad=True) * 2)
    assert not meter.totals.requires_grad


@pytest.mark.parametrize("values", [{"count": 1}, {"count": 1, "total": 1, "other": 1}])
def test_a_missing_or_unknown_sum_raises_an_assertion_error(values: dict[str, float]) -> None:
    with pytest.raises(AssertionError):
        Sums(("count", "total"), mean_of, CPU).add(**values)


def test_means_divide_by_the_count_and_are_zero_without_samples() -> None:
    assert means({"count": 4, "loss": 2, "mse": 1}) == {"loss": 0.5, "mse": 0.25}
    assert means({"count": 0, "loss": 0}) == {"loss": 0}
