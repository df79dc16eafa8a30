import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import ASL
from helpers.generate import ASL_CODES, ASL_HEADER, asl_table, write_asl


@pytest.mark.parametrize("codes", [ASL_CODES, list(range(24))], ids=["Kaggle's codes", "contiguous codes"])
@pytest.mark.parametrize("test_name", ["test", "valid"])
def test_both_codes_and_both_names_give_the_same_letters(tmp_path: Path, codes: list[int], test_name: str) -> None:
    write_asl(tmp_path, asl_table(codes), asl_table(codes[:5], seed=1), test_name)
    store = ASL(str(tmp_path)).store()
    assert "".join(store.spec.labels) == "ABCDEFGHIKLMNOPQRSTUVWXY"
    assert store.splits["train"].targets.tolist() == list(range(24))
    assert store.splits["test"].targets.tolist() == list(range(5))
    expected = np.random.default_rng(0).integers(0, 256, (24, 784)).reshape(24, 1, 28, 28)
    assert np.array_equal(store.splits["train"].inputs.numpy(), expected)


def test_a_folder_of_its_own_and_a_zip_will_do(tmp_path: Path) -> None:
    write_asl(tmp_path / "a" / "sign-language-mnist", asl_table(ASL_CODES), asl_table(ASL_CODES))
    (tmp_path / "b").mkdir()
    with zipfile.ZipFile(tmp_path / "b" / "archive.zip", "w") as archive:
        archive.writestr("sign_mnist_train/sign_mnist_train.csv", asl_table(ASL_CODES))
        archive.writestr("sign_mnist_test.csv", asl_table(ASL_CODES))
        archive.writestr("readme.txt", "not to be unpacked")
    one, other = (ASL(str(tmp_path / name)).store().splits["train"] for name in "ab")
    assert np.array_equal(one.inputs.numpy(), other.inputs.numpy())
    assert not list(tmp_path.rglob("readme.txt"))


def altered(line: int, cell: int, value: str) -> str:
    """A table with one value replaced; line 1 is the header."""
    lines = asl_table(ASL_CODES).splitlines()
    cells = lines[line - 1].split(",")
    cells[cell] = value
    return "\n".join([*lines[: line - 1], ",".join(cells), *lines[line:]])


def blank_lines(table: str) -> str:
    """The table with three blank lines after its third line."""
    lines = table.splitlines()
    return "\n".join([*lines[:3], "", "  ", "", *lines[3:]])


def write_zip(path: Path, **others: str) -> Path:
    """Both files in a zip, and others."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {f"sign_mnist_{split}.csv": asl_table(ASL_CODES) for split in ("train", "test")}.items():
            archive.writestr(name, content)
        for name, content in others.items():
            archive.writestr(name, content)
    return path


def refused_zip(path: Path) -> str:
    with pytest.raises(ValueError, match=f"^{path}: cannot read") as caught:
        ASL(str(path.parent)).store()
    assert not list(path.parent.rglob("*.npy"))
    return str(caught.value)


def test_a_label_beyond_the_contiguous_codes_is_refused(tmp_path: Path) -> None:
    write_asl(tmp_path, asl_table([*range(24), 25]), asl_table(list(range(24))))
    with pytest.raises(ValueError, match=r"sign_mnist_train\.csv, line 26: label 25; there are 0 to 23\."):
        ASL(str(tmp_path)).store()


def test_blank_lines_do_not_count(tmp_path: Path) -> None:
    write_asl(tmp_path, blank_lines(asl_table(ASL_CODES)), asl_table(ASL_CODES))
    assert ASL(str(tmp_path)).store().splits["train"].targets.tolist() == list(range(24))


@pytest.mark.parametrize("place", [200, 5000, 20_000])
def test_a_zip_with_an_altered_byte_is_refused(tmp_path: Path, place: int) -> None:
    path = write_zip(tmp_path / "archive.zip")
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    refused_zip(path)


def test_a_zip_that_cannot_be_read_is_named_where_there_is_no_other(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "archive.zip")
    path.write_bytes(path.read_bytes()[:-100])
    refused_zip(path)
    write_zip(tmp_path / "whole.zip")
    assert len(ASL(str(tmp_path)).store().splits["train"]) == 24


@pytest.mark.parametrize(
    ("train", "told"),
    [
        (altered(1, 7, "pixle7"), "line 1: there is no column pixel7"),
        (altered(4, 0, "25"), "line 4: label 25; there are 0 to 24"),
        (altered(4, 0, "-1"), "line 4: label -1; there are 0 to 24"),
        (altered(4, 0, "9"), "line 4: label 9; there are 0 to 24 without 9, which would be J"),
        (blank_lines(altered(4, 0, "25")), "line 7: label 25"),
        (blank_lines(altered(6, 3, "dark")), "line 9: pixel3 is 'dark'"),
        (blank_lines(altered(6, 3, "dark")).replace("\n", "\r\n"), "line 9: pixel3 is 'dark'"),
        ("\n".join([*asl_table(ASL_CODES).splitlines()[:8], "3,17,18"]), "line 9: 3 values; there have to be 785"),
        (altered(5, 100, "256"), "line 5: pixel100 is 256; a pixel is 0 to 255"),
        (altered(6, 3, "dark"), "line 6: pixel3 is 'dark', not a whole number"),
        (altered(6, 3, ""), "line 6: pixel3 is '', not a whole number"),
        (altered(7, 784, "1,2"), "line 7: 786 values; there have to be 785"),
        (asl_table(ASL_CODES)[:-40], "line 25: 7"),  # cut in the last row
        (ASL_HEADER + "\n", "there is no image in it"),
        ("", "line 1: there is no column label"),
    ],
)
def test_a_wrong_table_is_refused_with_its_file_and_line(tmp_path: Path, train: str, told: str) -> None:
    write_asl(tmp_path, train, asl_table(ASL_CODES))
    with pytest.raises(ValueError, match=told) as caught:
        ASL(str(tmp_path)).store()
    assert "sign_mnist_train.csv" in str(caught.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_missing_files_are_told_with_the_ways_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"(?s)Put sign_mnist_train\.csv and .* --extra kaggle"):
        ASL(str(tmp_path)).store()


@pytest.mark.parametrize("wrong", ["#", "٣", "9" * 30, "9" * 5000])
def test_what_numpy_reads_in_a_way_of_its_own_is_refused_with_its_line(tmp_path: Path, wrong: str) -> None:
    lines = asl_table(ASL_CODES).splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + "," + wrong
    write_asl(tmp_path, "\n".join(lines) + "\n", asl_table(ASL_CODES))
    with pytest.raises(ValueError, match=r"sign_mnist_train\.csv, line 4: pixel784"):
        ASL(str(tmp_path)).store()
