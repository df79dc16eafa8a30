"""Random changes of the hue that keep how bright and how saturated a colour is."""

import math

import torch
from torch import Tensor

from firstlight.augment.colour import Colour
from firstlight.augment.constant import constant
from firstlight.checks import check_range


class Hue(Colour):
    """Turn all hues of a sample by a random angle, up to `turns` of the colour wheel in either direction.

    Args:
        turns: the largest turn, as a fraction of a full turn; 0.5 reaches every hue.
        exact: True turns the HSV wheel, as torchvision and Kornia do. This is not affine in the colours and needs a
            pass over the pixels of its own. False rotates the colours around the grey axis, which becomes part of the
            colour transform. This is faster and gives the same hues at thirds of the wheel, but makes strong colours
            slightly brighter or darker in between.
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
        self.stage = "hue" if exact else "colour"

    def draw(self, num_samples: int, device: torch.device) -> Tensor:
        """Draw a turn for each sample: (samples,)."""
        return self.for_chosen(self.uniform((num_samples,), -self.turns, self.turns, device), 0.0)

    def change(self, transforms: Tensor) -> Tensor:
        """Append a random rotation around the grey axis to transforms (samples, channels, channels + 2).

        The pipeline does not call this if `exact` is True.
        """
        return grey_rotation(self.draw(len(transforms), transforms.device)) @ transforms


def grey_rotation(turns: Tensor) -> Tensor:
    """Return matrices (samples, 3, 3) that rotate colours around the grey axis by `turns` (samples,) of a full turn."""
    angles = turns[:, None, None] * (2 * math.pi)
    identity = constant(((1, 0, 0), (0, 1, 0), (0, 0, 1)), turns.device)
    across = constant(((0, -1, 1), (1, 0, -1), (-1, 1, 0)), turns.device)
    cos = angles.cos()
    return cos * identity + (1 - cos) / 3 + angles.sin() / math.sqrt(3) * across


def turn_hues(pixels: Tensor, turns: Tensor, max_turn: float = 1.0) -> None:
    """Turn the hues of images on the HSV wheel, in place.

    Source: Smith 1978, "Color gamut transform pairs", the hexcone model. Around the wheel, a channel rises for a sixth
    of the turn, stays at its maximum for two, falls for a sixth and stays at its minimum for two. For turns of up to a
    sixth, each channel therefore moves along a line by a fraction of the colour's chroma, and is clamped at the
    maximum and the minimum. The order of the two other channels gives the sign of the slope. This form needs no
    divisions and no branches, which are slow on CPUs.

    Args:
        pixels: (samples, 3, height, width), float32.
        turns: (samples,), as fractions of a full turn.
        max_turn: an upper bound of the absolute value of all `turns`; up to 1/6 saves a pass over the pixels.
    """
    if max_turn > 1 / 6:
        thirds = (3 * turns).round()
        turns = turns - thirds / 3
        # A third of a turn is a rotation of the three channels.
        channels = (torch.arange(3, device=turns.device) - thirds[:, None].long()) % 3
        pixels.copy_(pixels.gather(1, channels[:, :, None, None].expand_as(pixels)))
    red, green, blue = pixels.unbind(1)
    low, high = torch.minimum(red, green), torch.maximum(red, green)
    minimum, maximum = torch.minimum(low, blue)[:, None], torch.maximum(high, blue)[:, None]
    middle = torch.maximum(low, torch.minimum(high, blue, out=high), out=high)[:, None]
    moves = torch.sub(maximum, minimum, out=low[:, None]).mul_((-6 * turns)[:, None, None, None])
    slopes = torch.empty_like(pixels)
    for slope, above, below in zip(slopes.unbind(1), (green, blue, red), (blue, red, green), strict=True):
        torch.sub(above, below, out=slope)
    # The unclamped line puts a channel at the maximum or minimum as far outside these bounds as the middle channel
    # lies inside them. This is its value plus its difference from the middle one, which is 0 for the middle one.
    torch.lerp(middle, pixels, 2, out=pixels).addcmul_(slopes.sign_(), moves)
    torch.clamp(pixels, minimum, maximum, out=pixels)
