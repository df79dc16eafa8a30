import pytest
import torch

from firstlight.networks.dropout import build_dropout


def test_it_drops_the_share_that_it_is_asked_for_in_training_alone() -> None:
    layer, ones = build_dropout(0.3), torch.ones(10_000)
    assert float((layer(ones) == 0).float().mean()) == pytest.approx(0.3, abs=0.05)
    assert torch.equal(layer.eval()(ones), ones)


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_what_is_no_probability_is_refused_by_the_name_of_its_option(probability: float) -> None:
    with pytest.raises(ValueError, match=f"head_dropout={probability}: a probability from 0 to below 1"):
        build_dropout(probability, "head_dropout")
