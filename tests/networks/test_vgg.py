import pytest
import torch
import torchvision
from torch import nn

from firstlight.networks import VGG
from firstlight.networks.network import num_parameters
from helpers.twin import assert_same_logits, images_of, size_on_imagenet

PARAMETERS = {11: 132_863_336, 13: 133_047_848, 16: 138_357_544, 19: 143_667_240}
PARAMETERS_WITH_BATCH_NORM = {11: 132_868_840, 13: 133_053_736, 16: 138_365_992, 19: 143_678_248}


@pytest.mark.parametrize("depth", PARAMETERS)
def test_the_number_of_parameters_on_imagenet_is_that_of_the_paper(depth: int) -> None:
    assert size_on_imagenet(lambda spec: VGG(spec, depth=depth)) == PARAMETERS[depth]
    with_norm = size_on_imagenet(lambda spec: VGG(spec, depth=depth, batch_norm=True))
    assert with_norm == PARAMETERS_WITH_BATCH_NORM[depth]


@pytest.mark.parametrize("depth", PARAMETERS)
def test_depth_counts_the_layers_with_weights(depth: int) -> None:
    with torch.device("meta"):
        network = VGG(images_of(224), depth=depth)
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == depth


def test_torchvision_weights_give_the_logits_of_torchvision() -> None:
    assert_same_logits(lambda spec: VGG(spec, depth=11, batch_norm=True), torchvision.models.vgg11_bn)


def test_parameters_of_depth_16_are_named_as_in_torchvision() -> None:
    with torch.device("meta"):
        ours, theirs = VGG(images_of(224, classes=1000)), torchvision.models.vgg16()
    shapes = [{name: tensor.shape for name, tensor in network.state_dict().items()} for network in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_the_small_stem_of_depth_16_has_14728266_parameters() -> None:
    with torch.device("meta"):
        assert num_parameters(VGG(images_of(32))) == 14_728_266


@pytest.mark.parametrize(
    ("side", "sides"),
    [(8, [8, 4, 2, 2, 2]), (28, [28, 14, 7, 3, 3]), (32, [32, 16, 8, 4, 2]), (64, [64, 32, 16, 8, 4])],
)
def test_no_convolution_of_the_small_stem_sees_a_single_pixel(side: int, sides: list[int]) -> None:
    network, seen = VGG(images_of(side, channels=1), depth=11).eval(), []
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, outputs: seen.append(inputs[0].shape[-1]))
    assert network(torch.randn(1, 1, side, side)).shape == (1, 10)
    assert [seen[number] for number in (0, 1, 2, 4, 6)] == sides


def test_the_small_stem_trains_on_a_single_image() -> None:
    assert VGG(images_of(8), depth=11).train()(torch.randn(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize(("batch_norm", "number"), [(None, 8), (True, 8), (False, 0)])
def test_only_the_small_stem_has_batch_normalisation_by_default(batch_norm: bool | None, number: int) -> None:
    with torch.device("meta"):
        small = VGG(images_of(32), depth=11, batch_norm=batch_norm)
        large = VGG(images_of(65), depth=11, batch_norm=batch_norm)
    found = [sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) for network in (small, large)]
    assert found == [number, 8 if batch_norm else 0]


def test_without_batch_normalisation_signals_keep_their_size_through_19_layers() -> None:
    features = VGG(images_of(32), depth=19, batch_norm=False).features(torch.randn(4, 3, 32, 32))
    assert 0.1 < float(features.detach().std()) < 10


def test_an_unknown_depth_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"depth=17: unknown depth; known: 11, 13, 16, 19"):
        VGG(images_of(32), depth=17)
