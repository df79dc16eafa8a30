import numpy as np

from firstlight.data.ground import common_ground, has_ground

RANDOM = np.random.default_rng(1)
DARK = np.zeros((20, 1, 8, 8), dtype=np.uint8)
DARK[:, :, 2:6, 3:5] = 200


def test_grey_images_of_one_ground_have_a_common_one() -> None:
    assert [common_ground(images) for images in (DARK, 255 - DARK)] == ["dark", "light"]
    assert common_ground(DARK.repeat(3, axis=1)) == "dark"


def test_images_of_several_grounds_middle_tones_or_colours_have_none() -> None:
    shades = DARK + np.arange(0, 120, 6, dtype=np.uint8)[:, None, None, None]
    coloured = np.concatenate([DARK, DARK, DARK * 0], axis=1)
    for images in (shades, coloured, DARK // 2 + 100, np.concatenate([DARK, 255 - DARK])):
        assert common_ground(images) is None


def test_the_margin_does_not_count() -> None:
    padded = np.pad(DARK, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=255)
    assert [common_ground(padded, 2), common_ground(padded)] == ["dark", "light"]


def test_only_a_uniform_border_is_a_ground() -> None:
    noise = RANDOM.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    half = np.zeros((20, 1, 8, 8), dtype=np.uint8)
    half[..., ::3, :] = RANDOM.integers(100, 256, (20, 1, 3, 8))
    images = np.concatenate([DARK, 255 - DARK, 255 - half])
    assert has_ground(images, "light").tolist() == [False] * 20 + [True] * 40
    assert has_ground(noise, "light").mean() < 0.2
    assert has_ground(images, "dark")[:40].tolist() == [True] * 20 + [False] * 20
