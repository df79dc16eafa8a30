"""Colours turned around the wheel of hues; how light and how saturated they are stays."""

import math

import torch
from torch import Tensor

from firstlight.augment.colour import Colour
from firstlight.augment.constant import constant
from firstlight.checks import check_range


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
        check_range("turns", turns, at_least=0, at_most=0.5)
        self.turns = turns
        self.exact = exact

    def draw(self, num_samples: int, device: torch.device) -> Tensor:
        """Uniform turns (samples,)."""
        return self.for_chosen(self.uniform((num_samples,), -self.turns, self.turns, device), 0.0)

    def change(self, transforms: Tensor) -> Tensor:
        """The rotation around the grey axis."""
        return grey_rotation(self.draw(len(transforms), transforms.device)) @ transforms


def grey_rotation(turns: Tensor) -> Tensor:
    """Rotations (samples, 3, 3) of the colours around the axis of greys by `turns` (samples,) of a whole one."""
    angles = turns[:, None, None] * (2 * math.pi)
    identity = constant(((1, 0, 0), (0, 1, 0), (0, 0, 1)), turns.device)
    across = constant(((0, -1, 1), (1, 0, -1), (-1, 1, 0)), turns.device)
    cos = angles.cos()
    return cos * identity + (1 - cos) / 3 + angles.sin() / math.sqrt(3) * across


def turn_hues(pixels: Tensor, turns: Tensor, max_turn: float = 1.0) -> None:
    """Turn the hues of (samples, 3, height, width), in place, by `turns` (samples,), none of them beyond `max_turn`.

    Source: Smith 1978, "Color gamut transform pairs", the hexcone model: around the wheel a channel rises for a sixth,
    is full for two, falls for a sixth and is empty for two. So, within a sixth, each channel moves by a share of the
    colour's chroma on a line whose slope the two others tell, and which is cut where the channel is full or empty. No
    division and no branches, which are slow on CPUs.
    """
    if max_turn > 1 / 6:
        thirds = (3 * turns).round()
        turns = turns - thirds / 3
        places = (torch.arange(3, device=turns.device) - thirds[:, None].long()) % 3
        pixels.copy_(pixels.gather(1, places[:, :, None, None].expand_as(pixels)))
    red, green, blue = pixels.unbind(1)
    low, high = torch.minimum(red, green), torch.maximum(red, green)
    least, fullest = torch.minimum(low, blue)[:, None], torch.maximum(high, blue)[:, None]
    middle = torch.maximum(low, torch.minimum(high, blue, out=high), out=high)[:, None]
    moves = torch.sub(fullest, least, out=low[:, None]).mul_((-6 * turns)[:, None, None, None])
    slopes = torch.empty_like(pixels)
    for slope, above, below in zip(slopes.unbind(1), (green, blue, red), (blue, red, green), strict=True):
        torch.sub(above, below, out=slope)
    # Full or empty channels stand beyond their bounds by as much as the middle one lies within.
    torch.lerp(middle, pixels, 2, out=pixels).addcmul_(slopes.sign_(), moves)
    torch.clamp(pixels, least, fullest, out=pixels)
