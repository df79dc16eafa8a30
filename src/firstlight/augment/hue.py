"""Colours turned around the wheel of hues; how light and how saturated they are stays."""

import math

import torch
from torch import Tensor

from firstlight.augment.colour import Affine, Colour
from firstlight.augment.step import check_between


class Hue(Colour):
    """Hues are turned by up to `turns` of the whole wheel to either side.

    Args:
        turns: the largest turn; half of the wheel gives any hue.
        exact: a turn of the HSV wheel, as torchvision and Kornia have it, which is not linear in the colours and
            takes a pass of its own. Otherwise the turn is a rotation around the grey axis, one more factor of the
            matrix: faster, with the same hues at thirds of the wheel, but strong colours become a little lighter or
            darker between them.
        p: probability that a sample is changed.

    Raises:
        ValueError: `turns` is outside 0 to 0.5.
    """

    mixes_channels = True

    def __init__(self, *, turns: float = 0.05, exact: bool = True, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("turns", turns, 0, 0.5)
        self.turns = turns
        self.exact = exact

    def draw(self, num_samples: int, device: torch.device) -> Tensor:
        """Uniform turns (samples,)."""
        return self.for_chosen(self.uniform((num_samples,), -self.turns, self.turns, device), 0.0)

    def affine(self, means: Tensor) -> Affine:
        """The rotation around the grey axis."""
        return grey_rotation(self.draw(len(means), means.device)), torch.zeros_like(means)


def grey_rotation(turns: Tensor) -> Tensor:
    """Rotations (samples, 3, 3) of the colours around the axis of greys by `turns` (samples,) of a whole one."""
    angles = turns[:, None, None] * (2 * math.pi)
    across = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=turns.device)
    cos, identity = angles.cos(), torch.eye(3, device=turns.device)
    return cos * identity + (1 - cos) / 3 + angles.sin() / math.sqrt(3) * across


def turn_hues(pixels: Tensor, turns: Tensor) -> None:
    """Turn the hues of (samples, 3, height, width), in place, by `turns` (samples,).

    Source: Smith 1978, "Color gamut transform pairs", the hexcone model. Written without branches, which are slow on
    CPUs: a sign says which channel is least, and with that which third of the wheel the colour lies in.
    """
    red, green, blue = pixels.unbind(1)
    least = torch.minimum(red, green).minimum(blue)
    chroma = torch.maximum(red, green).maximum(blue).sub_(least)
    red_above, blue_above = (red - least).sign_(), (blue - least).sign_()
    # From the middle of the third, which is 1, 3 or 5 sixths of the wheel on, to one side or the other.
    difference = torch.lerp(green - red, torch.lerp(blue - green, red - blue, red_above), blue_above)
    thirds = red_above.add_(1).mul_(blue_above)  # 0 between red and green, 1 between green and blue, else 2
    hue = torch.add((turns + 1 / 6)[:, None, None], thirds, alpha=1 / 3)
    hue.addcdiv_(difference, chroma.clamp_min(1e-6), value=1 / 6)
    hue.sub_(hue.floor()).mul_(6)
    # A channel is full within a sixth of its own hue, and empty from two sixths on; red is at both ends of the scale.
    shares = (hue - 3).abs_().sub_(1), (hue - 2).abs_().neg_().add_(2), (hue - 4).abs_().neg_().add_(2)
    for channel, share in zip((red, green, blue), shares, strict=True):
        torch.addcmul(least, chroma, share.clamp_(0, 1), out=channel)
