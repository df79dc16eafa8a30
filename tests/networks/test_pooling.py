import pytest
import torch

from firstlight.networks.pooling import build_pooling

MAPS = torch.tensor([[[[1.0, 2.0, 5.0], [3.0, 6.0, 5.0]]]])


@pytest.mark.parametrize(("name", "value"), [("average", 3.0), ("max", 6.0)])
def test_a_pooling_halves_and_is_what_it_is_called(name: str, value: float) -> None:
    assert build_pooling(name)(MAPS).tolist() == [[[[value]]]]


def test_an_unknown_pooling_is_refused_with_all_there_are() -> None:
    with pytest.raises(ValueError, match="pooling=median: there is average and max pooling"):
        build_pooling("median")
