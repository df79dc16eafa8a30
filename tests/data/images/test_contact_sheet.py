from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from firstlight.data.images.contact_sheet import check_format, contact_sheet, write_image


def test_images_are_arranged_in_rows_from_left_to_right() -> None:
    shades = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 1, 64, 64)
    sheet = np.asarray(contact_sheet(shades, columns=3))
    assert sheet.shape == (2 * 68 + 4, 3 * 68 + 4, 3)
    found = [sheet[30 + 68 * (index // 3), 30 + 68 * (index % 3)].tolist() for index in range(6)]
    assert found == [[shade] * 3 for shade in (0, 64, 128, 191, 255, 255)]  # the last cell is empty


def test_small_images_are_enlarged_by_repeating_pixels() -> None:
    image = torch.rand(1, 3, 8, 16, generator=torch.Generator().manual_seed(0))
    sheet = np.asarray(contact_sheet(image, columns=1))
    assert sheet.shape == (64 + 8, 128 + 8, 3)
    expected = (image[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(sheet[4:-4, 4:-4], np.kron(expected, np.ones((8, 8, 1), dtype=np.uint8)))


def test_without_three_channels_the_first_channel_is_shown() -> None:
    images = torch.stack([torch.zeros(64, 64), torch.ones(64, 64)])[None]
    assert np.asarray(contact_sheet(images, columns=1))[4:-4, 4:-4].max() == 0


def find_dark_pixels(sheet: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that are not white."""
    rows, columns, _ = (np.asarray(sheet) < 255).nonzero()
    return rows, columns


def test_a_caption_is_below_its_image() -> None:
    white = torch.ones(2, 1, 64, 64)
    assert contact_sheet(white, ["", ""], columns=2).size == (2 * 68 + 4, 68 + 4)
    captioned = contact_sheet(white, ["", "dog"], columns=2)
    rows, columns = find_dark_pixels(captioned)
    assert captioned.width == 2 * 68 + 4
    assert rows.min() >= 64 + 4
    assert 64 + 8 <= columns.min() < columns.max() < 2 * 68


@pytest.mark.parametrize("caption", ["a caption that is wider than its image", "one line\nand another\nand a third"])
def test_captions_are_not_cut_off(caption: str) -> None:
    white = torch.ones(4, 1, 64, 64)
    sheet = contact_sheet(white, [caption] * 4, columns=2)
    width, height = (sheet.width - 4) // 2, (sheet.height - 4) // 2
    alone = np.asarray(contact_sheet(white[:1], [caption], columns=1))[4:, 4:]
    for left, top in ((0, 0), (width, 0), (0, height), (width, height)):
        assert np.array_equal(np.asarray(sheet)[4:, 4:][top:, left:][:height, :width], alone)
    ample = Image.new("RGB", (400, 100), "white")
    ImageDraw.Draw(ample).multiline_text((0, 0), caption, "black")
    assert (alone < 255).sum() == (np.asarray(ample) < 255).sum()


@pytest.mark.parametrize(("suffix", "format"), [("png", "PNG"), ("jpg", "JPEG"), ("JPEG", "JPEG"), ("webp", "WEBP")])
def test_an_image_is_written_in_the_format_of_its_suffix(tmp_path: Path, suffix: str, format: str) -> None:
    path = tmp_path / f"sheet.{suffix}"
    check_format("output", path)
    write_image(path, contact_sheet(torch.full((3, 1, 8, 8), 0.5)))
    with Image.open(path) as image:
        assert (image.format, image.size) == (format, (8 * 68 + 4, 72))
        assert abs(np.asarray(image)[36, 36].astype(int) - 128).max() <= 2


@pytest.mark.parametrize("name", ["sheet.txt", "sheet"])
def test_a_suffix_of_no_image_format_raises_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^preview\.output={name}: must end in one of \.png, \.jpg"):
        check_format("preview.output", Path(name))
