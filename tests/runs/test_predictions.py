"""Tests of runs/predict: the table on the screen, the contact sheet, and the file of rows."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.log import aligned
from firstlight.runs.predict.rows_file import rows_file
from firstlight.runs.predict.screen import name_of, predictions_table, problems_text, show, warnings_text
from firstlight.runs.predict.sheet import MAX_SHOWN, Sheet, is_sheet, shrink


def test_the_table_has_a_line_for_each_of_the_first_predictions() -> None:
    lines = [(f"{number}.jpg", "cat", " 50.00%") for number in range(20)]
    found = predictions_table(lines, 30).splitlines()
    assert found[3].split() == ["3.jpg", "cat", "50.00%"]
    assert found[-1] == "… and 10 more"
    assert len({line.index("cat") for line in found[:20]}) == 1
    assert "more" not in predictions_table(lines, 20)
    assert aligned([("a", "bc"), ("def", "g")]) == "a    bc\ndef  g"


def test_the_table_shows_the_end_of_a_long_path_and_the_beginning_of_a_long_text() -> None:
    assert name_of({"path": "folder/" * 20 + "a.jpg"})[0].endswith("folder/a.jpg")
    number, text = name_of({"line": 3, "text": "word " * 20})
    assert (number, text[:9], text[-1]) == ("3", "word word", "…")
    assert len(text) == 60


def test_problems_and_warnings_have_a_line_for_each_kind() -> None:
    assert problems_text(["a", "b"]) == ["left out: a", "left out: b"]
    assert problems_text(["a"] * 12)[10:] == ["left out: 2 more, which have no row in the file"]
    warnings = [({"path": f"{name}.png"}, f"{kind}: why") for name, kind in (("a", "odd"), ("b", "new"), ("c", "odd"))]
    assert warnings_text(warnings, 5) == ["warning: 2 of 5 odd: why (a.png)", "warning: 1 of 5 new: why (b.png)"]
    assert warnings_text(warnings[:1], 1) == ["warning: odd: why"]


def test_characters_that_a_terminal_lacks_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    show("caf\udce9", sys.stderr)
    assert capsys.readouterr().err == "caf\\udce9\n"


@pytest.mark.parametrize(("size", "expected"), [((256, 256), (128, 128)), ((256, 64), (128, 32)), ((8, 16), (8, 16))])
def test_large_images_are_shrunk_and_small_ones_kept(size: tuple[int, int], expected: tuple[int, int]) -> None:
    found = shrink(torch.full((2, 3, *size), 0.2))
    assert found.shape == (2, 3, *expected)
    torch.testing.assert_close(found, torch.full_like(found, 0.2))


def test_the_sheet_shows_the_first_images_with_captions(tmp_path: Path) -> None:
    raw = torch.zeros(40, 1, 128, 128, dtype=torch.uint8)
    for name, captions in (("plain", ("cat", "50%")), ("other", ("cat", "90%"))):
        sheet = Sheet()
        sheet.add(raw, [captions] * 40)
        assert not sheet.is_full
        sheet.add(raw, [captions] * 40)
        assert sheet.is_full
        sheet.write(tmp_path / f"{name}.png")
    plain, other = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("plain", "other"))
    in_row = plain.shape[0] // (MAX_SHOWN // 8)
    assert 128 < in_row < 150
    assert plain.shape == other.shape
    assert not np.array_equal(plain, other)
    black = (plain == 0).all(-1)
    assert black[10::in_row][:8, 10::132].all()


def test_the_sheet_shows_several_images_of_an_input_with_one_caption() -> None:
    sheet = Sheet()
    sheet.add(
        torch.zeros(40, 1, 8, 8, dtype=torch.uint8), [(f"{number}",) for number in range(40)], torch.ones(80, 1, 8, 8)
    )
    assert sheet.captions[:4] == ["0", "", "1", ""]
    assert len(torch.cat(sheet.images)) == len(sheet.captions) == MAX_SHOWN
    assert torch.cat(sheet.images).min() == 1


def test_is_sheet_recognizes_contact_sheets_among_other_files(tmp_path: Path) -> None:
    sheet = Sheet()
    sheet.add(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), [("caf\udce9",)])
    sheet.write(tmp_path / "sheet.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert [path.name for path in tmp_path.iterdir() if is_sheet(path)] == ["sheet.png"]


def test_the_file_of_rows_appears_when_it_is_complete(tmp_path: Path) -> None:
    with rows_file(tmp_path / "new" / "a.csv") as file:
        file.add([{"a": 1, "b": "x,y"}])
        file.add([{"a": 2, "b": None}])
        (part,) = (tmp_path / "new").iterdir()
        assert part.read_text() == 'a,b\n1,"x,y"\n2,\n'
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.csv"]
    assert (tmp_path / "new" / "a.csv").read_text() == 'a,b\n1,"x,y"\n2,\n'


def test_no_file_is_left_if_there_are_no_rows_or_no_folder_for_them(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), rows_file(tmp_path / "a.csv"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    message = f"^output={tmp_path / 'file' / 'a.csv'}: must be a writable path"
    with pytest.raises(ValueError, match=message), rows_file(tmp_path / "file" / "a.csv"):
        pass
