import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.runs.predictions import MAX_SHOWN, is_sheet, prediction, predictions_table, thumbnails, write_sheet

LABELS = ("ant", "bee", "cat", "dog", "elk", "fox")
PROBABILITIES = torch.tensor([0.05, 0.1, 0.5, 0.2, 0.12, 0.03])


def row(path: str = "a.jpg", **columns: Any) -> dict[str, Any]:
    return prediction(Path(path), PROBABILITIES, LABELS) | columns


def test_a_row_has_the_five_most_likely_classes() -> None:
    assert row() == {
        "path": "a.jpg",
        "label": "cat",
        "probability": 0.5,
        "top_1": "cat=0.500000",
        "top_2": "dog=0.200000",
        "top_3": "elk=0.120000",
        "top_4": "bee=0.100000",
        "top_5": "ant=0.050000",
    }


def test_a_row_has_both_of_two_classes() -> None:
    found = prediction(Path("a.jpg"), torch.tensor([0.25, 0.75]), ("a=b", "c"))
    assert list(found) == ["path", "label", "probability", "top_1", "top_2"]
    assert predictions_table([found]).split() == ["c", "75.00%", "a=b", "25.00%"]


def test_the_table_of_a_single_image_has_a_line_for_each_of_its_most_likely_classes() -> None:
    lines = predictions_table([row(dog_cat="neither", dog_cat_probability=0.3)], "dog_cat").splitlines()
    assert [line.split() for line in lines[:2]] == [["cat", "50.00%"], ["dog", "20.00%"]]
    assert len(lines) == 6
    assert lines[-1].split() == ["dog_cat:", "neither", "30.00%"]


def test_the_table_of_many_images_has_a_line_for_each_of_the_first_images() -> None:
    rows = [row(f"{number}.jpg", dog_cat="cat", dog_cat_probability=0.9) for number in range(30)]
    lines = predictions_table(rows).splitlines()
    assert lines[3].split() == ["3.jpg", "cat", "50.00%"]
    assert lines[-1] == "… and 10 more"
    assert predictions_table(rows, "dog_cat").splitlines()[3].split() == ["3.jpg", "cat", "50.00%", "cat", "90.00%"]


def test_the_table_shows_the_end_of_a_long_path() -> None:
    found = predictions_table([row("folder/" * 20 + "a.jpg"), row()])
    assert found.startswith("…")
    assert "folder/a.jpg  cat" in found


@pytest.mark.parametrize(("size", "expected"), [((256, 256), (128, 128)), ((256, 64), (128, 32)), ((8, 16), (8, 16))])
def test_thumbnails_shrink_large_images_and_keep_small_ones(size: tuple[int, int], expected: tuple[int, int]) -> None:
    found = thumbnails(torch.full((2, 3, *size), 51, dtype=torch.uint8))
    assert found.shape == (2, 3, *expected)
    torch.testing.assert_close(found, torch.full_like(found, 0.2))


def test_the_sheet_shows_the_first_images_with_captions() -> None:
    batch = torch.zeros(40, 1, 128, 128)
    rows = [row(dog_cat="cat", dog_cat_probability=0.9) for _ in range(80)]
    files = io.BytesIO(), io.BytesIO()
    for file, group in zip(files, (None, "dog_cat"), strict=True):
        write_sheet(file, [batch, batch], rows, group)
    plain, grouped = (np.asarray(Image.open(file)) for file in files)
    in_row = plain.shape[0] // (MAX_SHOWN // 8)
    assert 128 < in_row < 150
    assert plain.shape == grouped.shape
    assert not np.array_equal(plain, grouped)  # "cat 50%" and "cat 90%"
    black = (plain == 0).all(-1)
    assert black[10::in_row][:8, 10::132].all()


def test_is_sheet_recognizes_contact_sheets_among_other_files(tmp_path: Path) -> None:
    with (tmp_path / "sheet.png").open("wb") as file:
        write_sheet(file, [torch.zeros(1, 3, 64, 64)], [row()])
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert [path.name for path in tmp_path.iterdir() if is_sheet(path)] == ["sheet.png"]
