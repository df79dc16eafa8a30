import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import ASL
from helpers.generate import ASL_CODES, ASL_HEADER, asl_table, write_asl


@pytest.mark.parametrize("codes", [ASL_CODES, list(range(24))], ids=["Kaggle's codes", "contiguous codes"])
@pytest.mark.parametrize("test_name", ["test", "valid"])
def test_both_label_codes_and_both_file_names_give_the_same_letters(
    tmp_path: Path, codes: list[int], test_name: str
) -> None:
    write_asl(tmp_path, asl_table(codes), asl_table(codes[:5], seed=1), test_name)
    store = ASL(str(tmp_path)).store()
    assert "".join(store.spec.labels) == "ABCDEFGHIKLMNOPQRSTUVWXY"
    assert store.splits["train"].targets.tolist() == list(range(24))
    assert store.splits["test"].targets.tolist() == list(range(5))
    expected = np.random.default_rng(0).integers(0, 256, (24, 784)).reshape(24, 1, 28, 28)
    assert np.array_equal(store.splits["train"].inputs.numpy(), expected)


def test_a_subfolder_and_a_zip_are_read(tmp_path: Path) -> None:
    write_asl(tmp_path / "a" / "sign-language-mnist", asl_table(ASL_CODES), asl_table(ASL_CODES))
    (tmp_path / "b").mkdir()
    with zipfile.ZipFile(tmp_path / "b" / "archive.zip", "w") as archive:
        archive.writestr("sign_mnist_train/sign_mnist_train.csv", asl_table(ASL_CODES))
        archive.writestr("sign_mnist_test.csv", asl_table(ASL_CODES))
        archive.writestr("readme.txt", "not a table")
    one, other = (ASL(str(tmp_path / name)).store().splits["train"] for name in "ab")
    assert np.array_equal(one.inputs.numpy(), other.inputs.numpy())
    assert not list(tmp_path.rglob("readme.txt"))


def altered(line: int, cell: int, value: str) -> str:
    """Return a table with one value replaced; line 1 is the header."""
    lines = asl_table(ASL_CODES).splitlines()
    cells = lines[line - 1].split(",")
    cells[cell] = value
    return "\n".join([*lines[: line - 1], ",".join(cells), *lines[line:]])


def blank_lines(table: str) -> str:
    """Return the table with three blank lines after its third line."""
    lines = table.splitlines()
    return "\n".join([*lines[:3], "", "  ", "", *lines[3:]])


def write_zip(path: Path) -> Path:
    """Write both files to a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {f"sign_mnist_{split}.csv": asl_table(ASL_CODES) for split in ("train", "test")}.items():
            archive.writestr(name, content)
    return path


def error_for(path: Path) -> str:
    with pytest.raises(ValueError, match=f"^{path}: cannot read") as caught:
        ASL(str(path.parent)).store()
    assert not list(path.parent.rglob("*.npy"))
    return str(caught.value)


def test_a_label_beyond_the_contiguous_codes_raises_an_error(tmp_path: Path) -> None:
    write_asl(tmp_path, asl_table([*range(24), 25]), asl_table(list(range(24))))
    with pytest.raises(
        ValueError,
        match=r"sign_mnist_train\.csv, line 26: cannot read \(label is 25\)\. To fix: use the labels 0 to 23\.",
    ):
        ASL(str(tmp_path)).store()


def test_blank_lines_are_ignored(tmp_path: Path) -> None:
    write_asl(tmp_path, blank_lines(asl_table(ASL_CODES)), asl_table(ASL_CODES))
    assert ASL(str(tmp_path)).store().splits["train"].targets.tolist() == list(range(24))


@pytest.mark.parametrize("place", [200, 5000, 20_000])
def test_a_zip_with_an_altered_byte_raises_an_error(tmp_path: Path, place: int) -> None:
    path = write_zip(tmp_path / "archive.zip")
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    error_for(path)


def test_a_damaged_zip_raises_an_error_unless_another_zip_has_the_files(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "archive.zip")
    path.write_bytes(path.read_bytes()[:-100])
    error_for(path)
    write_zip(tmp_path / "whole.zip")
    assert len(ASL(str(tmp_path)).store().splits["train"]) == 24


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (altered(1, 7, "pixle7"), "line 1: .*the column pixel7 is missing"),
        (altered(4, 0, "25"), "line 4: .*label is 25.*use the labels 0 to 24"),
        (altered(4, 0, "-1"), "line 4: .*label is -1"),
        (altered(4, 0, "9"), r"line 4: .*label is 9.*0 to 24 without 9 \(J\)"),
        (blank_lines(altered(4, 0, "25")), "line 7: .*label is 25"),
        (blank_lines(altered(6, 3, "dark")), "line 9: .*pixel3 is 'dark'"),
        (blank_lines(altered(6, 3, "dark")).replace("\n", "\r\n"), "line 9: .*pixel3 is 'dark'"),
        ("\n".join([*asl_table(ASL_CODES).splitlines()[:8], "3,17,18"]), "line 9: .*3 values.*write 785 values"),
        (altered(5, 100, "256"), "line 5: .*pixel100 is '256'.*from 0 to 255"),
        (altered(6, 3, "dark"), "line 6: .*pixel3 is 'dark'.*write an integer"),
        (altered(6, 3, ""), "line 6: .*pixel3 is ''.*write an integer"),
        (altered(7, 784, "1,2"), "line 7: .*786 values"),
        (asl_table(ASL_CODES)[:-40], "line 25: .*7[0-9]+ values"),  # cut in the last row
        (ASL_HEADER + "\n", "it contains no image"),
        ("", "line 1: .*the column label is missing"),
    ],
)
def test_a_damaged_table_raises_an_error_that_names_the_file_and_line(tmp_path: Path, train: str, message: str) -> None:
    write_asl(tmp_path, train, asl_table(ASL_CODES))
    with pytest.raises(ValueError, match=message) as caught:
        ASL(str(tmp_path)).store()
    assert "sign_mnist_train.csv" in str(caught.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_an_error_for_missing_files_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"(?s)To fix: put sign_mnist_train\.csv and .* --extra kaggle"):
        ASL(str(tmp_path)).store()


@pytest.mark.parametrize("wrong", ["#", "٣", "9" * 30, "9" * 5000])
def test_values_that_only_numpy_accepts_raise_an_error_that_names_the_line(tmp_path: Path, wrong: str) -> None:
    lines = asl_table(ASL_CODES).splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + "," + wrong
    write_asl(tmp_path, "\n".join(lines) + "\n", asl_table(ASL_CODES))
    with pytest.raises(ValueError, match=r"sign_mnist_train\.csv, line 4: .*pixel784"):
        ASL(str(tmp_path)).store()
