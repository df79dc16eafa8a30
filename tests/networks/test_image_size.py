import pytest

from firstlight.networks import AlexNet, ResNet
from firstlight.networks.image_size import fitting_poolings, has_small_stem
from helpers.twin import images_of


@pytest.mark.parametrize(("size", "expected"), [((8, 8), True), ((64, 64), True), ((64, 90), True), ((65, 65), False)])
def test_the_stem_is_small_up_to_64_pixels(size: tuple[int, int], expected: bool) -> None:
    assert has_small_stem(images_of(*size), "auto") is expected


@pytest.mark.parametrize("side", [64, 224])
def test_a_chosen_stem_does_not_depend_on_the_size(side: int) -> None:
    assert has_small_stem(images_of(side), "small")
    assert not has_small_stem(images_of(side), "imagenet")


def test_the_imagenet_stem_raises_an_error_for_small_images() -> None:
    with pytest.raises(
        ValueError, match=r"stem=imagenet: .* of 40x63 pixels\. To fix: set stem=small, or .* augment\.size=64"
    ):
        ResNet(images_of(40, 63), stem="imagenet")


def test_an_unknown_stem_raises_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"stem=image_net: unknown stem, did you mean 'imagenet'\?"):
        AlexNet(images_of(32), stem="image_net")


@pytest.mark.parametrize("size", [(15, 16), (16, 15), (1, 1)])
def test_images_that_are_too_small_raise_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 16x16, not {size[0]}x{size[1]}"):
        ResNet(images_of(*size))


@pytest.mark.parametrize(
    ("side", "kept"),
    [
        (224, [True, True, True, True, True]),
        (32, [True, True, True, True, True]),
        (28, [True, True, True, False, True]),
        (16, [True, True, True, False, True]),
        (8, [True, True, False, False, True]),
        (2, [False, False, False, False, True]),
        (1, [False, False, False, False, False]),
    ],
)
def test_only_the_last_pooling_may_leave_one_pixel(side: int, kept: list[bool]) -> None:
    assert fitting_poolings(side, 5) == kept
