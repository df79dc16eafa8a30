import pytest
import timm
import torch

from firstlight.networks import EfficientNetLite
from firstlight.networks.efficientnet_lite import DepthwiseSeparable, InvertedResidual
from firstlight.transfer.weights_file import load_weights_into
from helpers.twin import assert_same_logits, images_of, size_on_imagenet


def theirs() -> torch.nn.Module:
    return timm.create_model("tf_efficientnet_lite0")


def test_on_imagenet_it_has_4652008_parameters() -> None:
    assert size_on_imagenet(EfficientNetLite) == 4_652_008


def test_tensors_are_named_and_ordered_as_in_timm() -> None:
    with torch.device("meta"):
        ours, expected = EfficientNetLite(images_of(224, classes=1000)).state_dict(), theirs().state_dict()
    assert [(name, value.shape) for name, value in ours.items()] == [
        (name, value.shape) for name, value in expected.items()
    ]


def test_timm_weights_give_the_logits_of_timm() -> None:
    assert_same_logits(EfficientNetLite, theirs)


@pytest.mark.parametrize("size", [(224, 224), (65, 98)])
def test_pretrained_weights_give_the_logits_of_timm(size: tuple[int, int]) -> None:
    pretrained = EfficientNetLite.pretrained("default")
    ours, expected = EfficientNetLite(pretrained.spec()).eval(), theirs().eval()
    load_weights_into(ours, pretrained.load(), pretrained.name)
    expected.load_state_dict(dict(pretrained.load()))
    inputs = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs), expected(inputs), atol=1e-4, rtol=1e-4)


def test_pretrained_weights_have_the_preprocessing_of_timm() -> None:
    pretrained, theirs = EfficientNetLite.pretrained("IMAGENET1K"), timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert theirs is not None
    assert (3, pretrained.size, pretrained.size) == theirs.input_size
    assert (pretrained.mean, pretrained.std) == (theirs.mean, theirs.std)
    assert (pretrained.interpolation, pretrained.crop) == (theirs.interpolation, theirs.crop_pct)
    assert len(pretrained.labels) == 1000
    assert (pretrained.labels[0], pretrained.labels[207], pretrained.labels[999]) == (
        "tench",
        "golden retriever",
        "toilet tissue",
    )


def test_unknown_weights_raise_an_error() -> None:
    with pytest.raises(ValueError, match=r"model.weights=IMAGENET: .*did you mean 'IMAGENET1K'\?"):
        EfficientNetLite.pretrained("IMAGENET")


@pytest.mark.parametrize(("stem", "side"), [("small", 8), ("imagenet", 2)])
def test_the_small_stem_keeps_four_times_the_height_and_width(stem: str, side: int) -> None:
    network = EfficientNetLite(images_of(64), stem=stem).eval()
    assert network.blocks(network.conv_stem(torch.randn(1, 3, 64, 64))).shape == (1, 320, side, side)


def test_the_small_stem_trains_on_a_single_image() -> None:
    assert EfficientNetLite(images_of(16)).train()(torch.randn(1, 3, 16, 16)).isfinite().all()


@pytest.mark.parametrize(("out_channels", "stride", "adds"), [(8, 1, True), (8, 2, False), (12, 1, False)])
def test_a_block_adds_its_input_if_the_shapes_are_equal(out_channels: int, stride: int, adds: bool) -> None:
    block = InvertedResidual(8, out_channels, expansion=6, kernel=5, stride=stride).eval()
    inputs = torch.randn(2, 8, 7, 7)
    found = block(inputs)
    assert found.shape == (2, out_channels, -(-7 // stride), -(-7 // stride))
    torch.nn.init.zeros_(block.bn3.weight)
    assert torch.equal(block(inputs), inputs if adds else torch.zeros_like(found))


def test_bottlenecks_are_linear() -> None:
    inputs = torch.randn(2, 8, 6, 6)
    assert (InvertedResidual(8, 12, expansion=6, kernel=3, stride=1)(inputs) < 0).any()
    assert (DepthwiseSeparable(8, 12, kernel=3)(inputs) < 0).any()
