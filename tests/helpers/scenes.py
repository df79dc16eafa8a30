"""Images with bright rectangles, whose boxes and classes are known."""

import torch

from firstlight.spec import NO_OBJECT, DataSpec
from firstlight.tasks import Batch

SIDE = 32
BOXES = DataSpec((1, SIDE, SIDE), 2, ("grey", "white"), (0.1,), (0.25,), target_type="boxes")


def scenes(number: int, objects: tuple[int, int] = (1, 1), seed: int = 0, side: int = SIDE) -> Batch:
    """Return images with rectangles that do not overlap: grey ones of class 0 and white ones of class 1.

    Args:
        number: of images.
        objects: smallest and largest number of rectangles in an image.
        seed: seed of the random draws.
        side: height and width of the images.

    Returns:
        Raw images (number, 1, side, side), and boxes (number, objects, 5).
    """
    random = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=random))

    images = torch.zeros(number, 1, side, side, dtype=torch.uint8)
    boxes = torch.tensor([0.0, 0, 0, 0, NO_OBJECT]).repeat(number, max(1, objects[1]), 1)
    for image, rows in zip(images, boxes, strict=True):
        wanted, place = draw(objects[0], objects[1] + 1), 0
        while place < wanted:
            width, height, number_of_class = draw(side // 4, side // 2), draw(side // 4, side // 2), draw(0, 2)
            left, top = draw(0, side - width + 1), draw(0, side - height + 1)
            part = image[0, top : top + height, left : left + width]
            if not part.any():
                part.fill_(255 if number_of_class else 128)
                rows[place] = torch.tensor([left, top, left + width, top + height, number_of_class])
                place += 1
    return images, boxes
