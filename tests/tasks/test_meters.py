import pytest
import torch

from firstlight.tasks.sums import Sums

CPU = torch.device("cpu")


def mean_of(sums: dict[str, float]) -> dict[str, float]:
    return {"mean": sums["total"] / sums["count"]}


def test_what_is_added_is_summed_and_computed_once() -> None:
    meter = Sums(("count", "total"), mean_of, CPU)
    meter.add(count=2, total=torch.tensor(5.0))
    meter.add(total=torch.tensor(1), count=1)
    assert meter.compute() == {"mean": 2.0}


def test_a_sum_of_millions_keeps_its_last_ones() -> None:
    meter = Sums(("count", "total"), mean_of, CPU)
    for _ in range(10):
        meter.add(count=1, total=torch.tensor(2.0**24))
        meter.add(count=1, total=torch.tensor(1.0))
    assert meter.totals.tolist() == [20, 10 * (2**24 + 1)]


def test_several_processes_add_up_in_place() -> None:
    first, second = (Sums(("count", "total"), mean_of, CPU) for _ in range(2))
    first.add(count=1, total=3)
    second.add(count=3, total=1)
    for total, more in zip(first.sums(), second.sums(), strict=True):
        total += more
    assert first.compute() == {"mean": 1.0}


def test_no_graph_is_kept() -> None:
    meter = Sums(("total",), dict, CPU)
    meter.add(total=torch.ones((), requires_grad=True) * 2)
    assert not meter.totals.requires_grad


def test_a_sum_that_is_missing_or_unknown_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        Sums(("count", "total"), mean_of, CPU).add(count=1)
