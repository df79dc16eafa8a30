import numpy as np
import torch

from firstlight.contact_sheet import contact_sheet


def test_pictures_stand_in_rows_from_left_to_right() -> None:
    shades = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 1, 64, 64)
    sheet = np.asarray(contact_sheet(shades, columns=3))
    assert sheet.shape == (2 * 68 + 4, 3 * 68 + 4, 3)
    found = [sheet[30 + 68 * (place // 3), 30 + 68 * (place % 3)].tolist() for place in range(6)]
    assert found == [[shade] * 3 for shade in (0, 64, 128, 191, 255, 255)]  # the last place is empty


def test_small_pictures_are_enlarged_pixel_by_pixel() -> None:
    picture = torch.rand(1, 3, 8, 16, generator=torch.Generator().manual_seed(0))
    sheet = np.asarray(contact_sheet(picture, columns=1))
    assert sheet.shape == (64 + 8, 128 + 8, 3)
    expected = (picture[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(sheet[4:-4, 4:-4], np.kron(expected, np.ones((8, 8, 1), dtype=np.uint8)))


def test_of_other_than_three_channels_the_first_is_shown() -> None:
    pictures = torch.stack([torch.zeros(64, 64), torch.ones(64, 64)])[None]
    assert np.asarray(contact_sheet(pictures, columns=1))[4:-4, 4:-4].max() == 0


def test_a_caption_stands_below_its_picture_and_ends_where_the_next_begins() -> None:
    white = torch.ones(2, 1, 64, 64)
    plain = np.asarray(contact_sheet(white, ["", ""], columns=2))
    captioned = np.asarray(contact_sheet(white, ["", "a caption that is far too long for it"], columns=2))
    assert plain.shape == captioned.shape
    assert plain.shape[0] > 64 + 8
    assert plain.min() == 255
    rows, columns, _ = (captioned < 255).nonzero()
    assert rows.min() >= 64 + 4
    assert 64 + 8 <= columns.min() < 64 + 16
    assert 100 < columns.max() < 2 * 68
