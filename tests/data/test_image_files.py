from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data import Folder
from helpers.generate import write_classes


@pytest.mark.parametrize(("image_size", "stored"), [(64, 72), (224, 256), (28, 32), (8, 8)])
def test_stored_images_have_a_margin_on_every_side(tmp_path: Path, image_size: int, stored: int) -> None:
    write_classes(tmp_path, 5)
    store = Folder(str(tmp_path), image_size=image_size).store()
    assert store.spec.input_shape == (3, image_size, image_size)
    assert store.spec.stored_shape == (3, stored, stored)
    assert store.splits["train"].own_inputs.shape == (8, 3, stored, stored)


def test_the_short_side_is_resized_and_the_centre_is_cropped(tmp_path: Path) -> None:
    write_classes(tmp_path, 5)
    image = Image.new("RGB", (160, 32), "red")
    image.paste("blue", (64, 0, 96, 32))
    for path in (tmp_path / "dog").iterdir():
        image.save(path)
    train = Folder(str(tmp_path), image_size=8).store().splits["train"]
    dogs = train.inputs[train.targets == 1].float().mean((0, 2, 3))
    assert dogs.tolist() == pytest.approx([0, 0, 254], abs=12)  # JPEG blurs the edges


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    write_classes(tmp_path, 5)
    grey = Folder(str(tmp_path), image_size=8, channels=1).store()
    colour = Folder(str(tmp_path), image_size=8).store()
    assert grey.spec.input_shape == (1, 8, 8)
    assert grey.spec.mean[0] == pytest.approx(np.mean(colour.spec.mean), abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, r"data\.image_size=0: must be at least 1"),
        ({"channels": 2}, r"data\.channels=2: must be 3 \(colour\) or 1 \(grey\)"),
        ({"on_corrupt": "ignore"}, r"data\.on_corrupt=ignore: unknown way"),
        ({"batch_size": 0}, r"data\.batch_size=0"),
    ],
)
def test_options_out_of_range_raise_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Folder("anywhere", **options)
