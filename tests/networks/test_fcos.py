import pytest
import torch

from firstlight.networks import FCOS
from firstlight.spec import DataSpec


def spec_of(height: int, width: int, channels: int = 1) -> DataSpec:
    return DataSpec((channels, height, width), 3, ("a", "b", "c"), (0.5,), (0.25,), target_type="boxes")


def test_places_are_at_the_centres_of_the_cells_of_each_level() -> None:
    network = FCOS(spec_of(64, 96), num_levels=3, channels=8)
    sizes = [(8, 12), (4, 6), (2, 3)]
    assert len(network.points) == sum(height * width for height, width in sizes)
    assert network.points[:2].tolist() == [[4, 4], [12, 4]]
    assert network.points[8 * 12].tolist() == [8, 8]
    assert network.points[-1].tolist() == [80, 48]
    assert network.strides.unique().tolist() == [8, 16, 32]
    assert network.reach[0].tolist() == [0, 64]
    assert network.reach[-1].tolist() == [128, float("inf")]


@pytest.mark.parametrize(
    ("height", "width", "encoder"), [(64, 64, None), (37, 53, None), (128, 40, None), (37, 53, "resnet18")]
)
def test_it_returns_as_many_places_as_it_has_points(height: int, width: int, encoder: str | None) -> None:
    network = FCOS(spec_of(height, width, 3), encoder=encoder, num_levels=4, channels=16).eval()
    with torch.no_grad():
        outputs = network(torch.randn(2, 3, height, width))
    assert outputs.shape == (2, len(network.points), 8)
    assert (outputs[..., 3:7] > 0).all()  # distances
    probabilities = outputs[..., :3].sigmoid()
    assert probabilities.max() < 0.1  # an untrained network finds nothing
    inside = (network.points > 0).all() and (network.points < torch.tensor([width, height])).all()
    assert inside


def test_small_images_and_unknown_encoders_are_refused() -> None:
    with pytest.raises(ValueError, match="must get images of at least 32x32"):
        FCOS(spec_of(16, 16))
    with pytest.raises(ValueError, match=r"^encoder=resnet19: unknown encoder, did you mean 'resnet18'\?"):
        FCOS(spec_of(64, 64), encoder="resnet19")
