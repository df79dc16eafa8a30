import torch

from firstlight.runs.explain.drawing.overlay import heat_overlay, sign_overlay


def test_orange_speaks_for_the_output_and_blue_against_it() -> None:
    images = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    drawn = sign_overlay(images, torch.tensor([[[2.0, -2.0], [0.0, 0.0]]]))
    assert drawn.shape == (1, 3, 2, 2)
    (for_it, against), (dark, light) = drawn[0].permute(1, 2, 0).mul(255).round().int().tolist()
    assert (for_it, against) == ([0xD5, 0x5E, 0x00], [0x00, 0x72, 0xB2])
    assert light == [255] * 3
    assert 100 < dark[0] < 200  # the image is faded
    assert torch.isfinite(sign_overlay(images, torch.zeros(1, 2, 2))).all()


def test_heat_is_brighter_and_the_image_stays_visible() -> None:
    images = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 2, 2)
    drawn = heat_overlay(images, torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])).mean(1)[0]
    assert drawn.amin() >= 0
    assert drawn.amax() <= 1
    assert drawn[0, 0] > drawn[1, 0]
    assert drawn[0, 1] > drawn[0, 0]
