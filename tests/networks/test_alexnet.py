import pytest
import torch
import torchvision
from torch import nn

from firstlight.networks import AlexNet
from helpers.twin import assert_same_logits, images_of, size_on_imagenet


def test_on_imagenet_it_has_61100840_parameters() -> None:
    convolutions = [
        64 * (3 * 121 + 1),
        192 * (64 * 25 + 1),
        384 * (192 * 9 + 1),
        256 * (384 * 9 + 1),
        256 * (256 * 9 + 1),
    ]
    linear = [4096 * (9216 + 1), 4096 * (4096 + 1), 1000 * (4096 + 1)]
    assert size_on_imagenet(AlexNet) == sum(convolutions + linear) == 61_100_840


def test_torchvision_weights_give_the_logits_of_torchvision() -> None:
    assert_same_logits(AlexNet, torchvision.models.alexnet)


@pytest.mark.parametrize(("size", "grid"), [((16, 16), 1), ((28, 28), 4), ((32, 32), 4), ((33, 64), 12)])
def test_the_small_stem_leaves_a_sixteenth_of_height_and_width(size: tuple[int, int], grid: int) -> None:
    network = AlexNet(images_of(*size))
    assert network.classifier[1].in_features == 256 * grid
    assert network(torch.randn(2, 3, *size)).shape == (2, 10)


def test_the_stem_can_be_chosen() -> None:
    spec = images_of(64)
    kernels = [AlexNet(spec, stem=stem).features[0].kernel_size for stem in ("auto", "small", "imagenet")]
    assert kernels == [(3, 3), (3, 3), (11, 11)]
    assert AlexNet(spec, stem="imagenet")(torch.randn(1, 3, 64, 64)).shape == (1, 10)


def test_activation_and_dropout_can_be_chosen() -> None:
    kinds = [type(module) for module in AlexNet(images_of(16), activation="gelu", dropout=0.25).modules()]
    assert (kinds.count(nn.GELU), nn.ReLU in kinds) == (7, False)
    network = AlexNet(images_of(16), dropout=0.25)
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.25, 0.25]


def test_an_image_that_is_too_small_raises_an_error() -> None:
    with pytest.raises(ValueError, match="must get images of at least 16x16, not 8x8"):
        AlexNet(images_of(8))
