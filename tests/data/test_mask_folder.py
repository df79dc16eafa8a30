from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data import MaskFolder
from firstlight.spec import IGNORED


def write_pair(folder: Path, name: str, mask: np.ndarray, split: str = "", palette: bool = False) -> None:
    """Write an image that is bright where its mask is not 0."""
    for kind, suffix in (("images", ".jpg"), ("masks", ".png")):
        (folder / split / kind).mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8) if kind == "images" else mask)
        if palette and kind == "masks":
            image = Image.frombytes("P", image.size, mask.tobytes())
            image.putpalette([7, 7, 7, 200, 0, 0, 0, 200, 0])
        image.save(folder / split / kind / f"{name}{suffix}")


def stripes(*classes: int) -> np.ndarray:
    """Return a mask of 16 x 32 pixels with a vertical stripe for each class."""
    return np.repeat(np.array(classes, np.uint8), 32 // len(classes))[None].repeat(16, 0)


def read(folder: Path, **options: Any) -> Any:
    small: dict[str, Any] = {"image_size": 16, "fit": "stretch"}
    return MaskFolder(str(folder), **small | options).store()


def test_masks_of_each_split_have_the_classes_of_their_images(tmp_path: Path) -> None:
    for number in range(4):
        write_pair(tmp_path, f"{number}", stripes(0, 1, 2, 2), "train", palette=number % 2 == 0)
    write_pair(tmp_path, "a", stripes(2, 0, IGNORED, 1), "validation")
    write_pair(tmp_path, "b", stripes(0, 0, 1, 1), "test")
    (tmp_path / "classes.txt").write_text("ground\nroad\ncar\n")
    store = read(tmp_path)
    assert (store.spec.labels, store.spec.targets) == (("ground", "road", "car"), "masks")
    assert {name: len(split) for name, split in store.splits.items()} == {"train": 4, "val": 1, "test": 1}
    assert (store.splits["train"].targets == np.repeat([0, 1, 2, 2], 4).astype(np.uint8)).all()
    assert store.splits["val"].targets[0, 0].tolist() == np.repeat([2, 0, IGNORED, 1], 4).tolist()
    is_bright = store.splits["test"].inputs[:, 0] > 127
    assert np.array_equal(is_bright, store.splits["test"].targets == 1)


def test_black_and_white_masks_are_background_and_object(tmp_path: Path) -> None:
    for number in range(5):
        write_pair(tmp_path, f"{number}", stripes(0, 255))
        (tmp_path / "masks" / f"{number}.png").rename(tmp_path / "masks" / f"{number}_mask.png")
    Image.fromarray(stripes(0, 255)).save(tmp_path / "masks" / "surplus.png")
    store, splits = MaskFolder(str(tmp_path), image_size=16, fit="stretch").splits(1)
    assert store.spec.labels == ("background", "object")
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "val": 1, "test": 1}
    assert store.stored["train"].targets[0, 0].tolist() == [0] * 8 + [1] * 8
    assert any("black and white" in remark for remark in store.remarks)
    assert "left out: 1 mask without an image, such as surplus" in store.remarks


def test_classes_without_names_are_numbers(tmp_path: Path) -> None:
    for number in range(4):
        write_pair(tmp_path, f"{number}", stripes(0, 3))
    assert read(tmp_path).spec.labels == ("0", "1", "2", "3")


def test_what_does_not_fit_together_has_a_sentence(tmp_path: Path) -> None:
    for number in range(4):
        write_pair(tmp_path, f"{number}", stripes(0, 1))
    (tmp_path / "classes.txt").write_text("ground\nroad\n")
    mask = tmp_path / "masks" / "2.png"
    cases: list[tuple[Image.Image, str]] = [
        (Image.fromarray(stripes(0, 5)), r"its pixel in row 0, column 16 is 5, and must be 0 to 1, or 255 for pixels"),
        (Image.new("L", (30, 16)), "it has 30 x 16 pixels, and its image 32 x 16"),
        (Image.new("RGB", (32, 16)), "an image of mode RGB, whose pixels are no numbers of classes"),
    ]
    for wrong, message in cases:
        wrong.save(mask)
        with pytest.raises(ValueError, match=f"{mask}: cannot read .*{message}"):
            read(tmp_path)
    assert len(read(tmp_path, on_corrupt="skip").splits["train"].targets) + 1 == 4
    mask.write_bytes(mask.read_bytes()[:40])
    with pytest.raises(ValueError, match=f"{mask}: cannot read"):
        read(tmp_path)
    mask.unlink()
    with pytest.raises(ValueError, match=r"2\.jpg: cannot read \(it has no mask in"):
        read(tmp_path)
    mask.parent.rename(tmp_path / "other")
    with pytest.raises(ValueError, match=r"it has no folder masks\)\. To fix: arrange the files as images/NAME"):
        read(tmp_path)
