import pytest
import torch

from firstlight.networks import ViT
from firstlight.networks.vit import grid_positions
from firstlight.spec import DataSpec


def spec_of(*shape: int) -> DataSpec:
    return DataSpec(shape, 3, tuple("abc"), (0.5,) * shape[0], (0.2,) * shape[0])


@pytest.mark.parametrize(
    ("shape", "size", "grid"),
    [((1, 28, 28), 4, (7, 7)), ((3, 32, 32), 4, (8, 8)), ((3, 17, 30), 3, (6, 10)), ((1, 3, 5), 2, (2, 3))],
)
def test_patches_cover_images_of_any_size(shape: tuple[int, ...], size: int, grid: tuple[int, int]) -> None:
    network, images = ViT(spec_of(*shape), embedding_dim=8, num_layers=1, num_heads=2), torch.randn(2, *shape)
    patches = network.patches(images)
    assert (network.patch_size, network.grid) == (size, grid)
    assert patches.shape == (2, grid[0] * grid[1], shape[0] * size**2)
    assert torch.equal(patches[0, 1].view(shape[0], size, size), images[0, :, :size, size : 2 * size])
    assert torch.equal(network.images(patches, (shape[1], shape[2])), images)
    assert network(images).shape == (2, 3)


def test_the_order_of_patches_matters_only_by_their_positions() -> None:
    network = ViT(spec_of(1, 8, 8), embedding_dim=8, num_layers=2, num_heads=2).eval()
    vectors, order = torch.randn(1, 16, 8), torch.randperm(16)
    with torch.no_grad():  # attention is not causal
        assert torch.allclose(network.encode(vectors)[:, order], network.encode(vectors[:, order]), atol=1e-5)
    assert len(network.positions.unique(dim=0)) == 16


def test_positions_are_sines_and_cosines_of_row_and_column() -> None:
    found = grid_positions((2, 3), 8).view(2, 3, 8)
    column = torch.tensor([2.0, 0.02])  # of wavelengths 2 pi and 200 pi
    assert torch.allclose(found[1, 2, 4:], torch.cat([column.sin(), column.cos()]))
    assert torch.equal(found[1, 2, :4], found[1, 0, :4])


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="embedding_dim=10: must be a multiple of 4 and of num_heads=2"):
        ViT(spec_of(1, 8, 8), embedding_dim=10, num_heads=2)
    with pytest.raises(ValueError, match="patch_size=9: must be at least 1 and at most 8"):
        ViT(spec_of(1, 8, 8), patch_size=9)
