from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.data import MultiLabel
from helpers.generate import write_image


def write_images(folder: Path, number: int = 8) -> None:
    for place in range(number):
        write_image(folder / f"{place}.png", 20 * place)


def targets(folder: Path, **options: Any) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """Return the labels, the targets of all images, and the remarks."""
    source = MultiLabel(str(folder), image_size=8, **options)
    labels, splits = source.read()
    return labels, np.concatenate([arrays.targets for arrays in splits.values()]), source.remarks


def test_labels_are_in_one_column_or_in_a_column_each(tmp_path: Path) -> None:
    write_images(tmp_path / "photos")
    rows = ["sea|sun", "", "sun", *["rain"] * 5]
    expected = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 1], *[[1, 0, 0]] * 5])
    table = tmp_path / "photos.csv"
    table.write_text("file,tags\n" + "".join(f"{number}.png,{row}\n" for number, row in enumerate(rows)))
    labels, found, remarks = targets(tmp_path)
    assert labels == ("rain", "sea", "sun")
    assert (found.dtype, found.tolist()) == (np.uint8, expected.tolist())
    assert "labels in column 'tags', separated by '|'" in remarks[0]
    table.write_text("".join(f"{number}.png,{row}\n" for number, row in enumerate(rows)))
    assert targets(tmp_path)[1].tolist() == expected.tolist()
    flags = "".join(f"{number},{','.join(map(str, row))}\n" for number, row in enumerate(expected.tolist()))
    table.write_text("id,rain,sea,sun\n" + flags)  # names without a suffix
    assert targets(tmp_path)[1].tolist() == expected.tolist()
    table.write_text("id,rain,sea,sun\n" + flags.replace(",0", ",-1"))
    assert targets(tmp_path)[1].tolist() == expected.tolist()
    store, splits = MultiLabel(str(tmp_path), image_size=8).splits(1)
    assert store.spec.targets == "labels"
    assert {name: len(split) for name, split in splits.items()} == {"train": 5, "val": 1, "test": 2}


def test_an_image_in_several_folders_has_several_labels(tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "sun", 3)
    write_images(tmp_path / "test" / "sea", 1)
    (tmp_path / "train" / "sea").mkdir()
    (tmp_path / "train" / "sea" / "copy.png").write_bytes((tmp_path / "train" / "sun" / "1.png").read_bytes())
    write_image(tmp_path / "train" / "sea" / "9.png", 200)
    source = MultiLabel(str(tmp_path), image_size=8)
    labels, splits = source.read()
    assert labels == ("sea", "sun")
    assert sorted(splits["train"].targets.tolist()) == [[0, 1], [0, 1], [1, 0], [1, 1]]
    assert splits["test"].targets.tolist() == [[1, 0]]


def test_what_does_not_fit_together_has_a_sentence(tmp_path: Path) -> None:
    write_images(tmp_path)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    cases = [
        ("file,tags\n0.png,a\n9.png,b\n", "file,tags\n1.png,a\n", r"train\.csv: .*its image 9\.png is missing in"),
        ("file,tags\n0.png,a\n2.png,b\n", "file,tags\n1.png,A\n", r"test\.csv: .*its label 'A' is missing in train"),
        ("file,tags\n0.png,a\n2.png,b\n", "file,tags\n0.png,a\n", r"test\.csv: .*0\.png is also in train"),
        ("file,a,b\n0.png,1,0\n2.png,2,0\n", "file,a,b\n1.png,1,0\n", "column 'a' has '2', which is not 0 or 1"),
        ("file,a,b\n0.png,1,0\n2.png,-1,0\n", "file,a,b\n1.png,1,0\n", "so -1 is not clear"),
        ("file,a,b\n0.png,1,0\n0.png,1,1\n", "file,a,b\n1.png,1,0\n", r"0\.png is in a row before"),
    ]
    for first, second, message in cases:
        train.write_text(first)
        test.write_text(second)
        with pytest.raises(ValueError, match=message):
            targets(tmp_path)
    train.write_text(cases[0][0])
    with pytest.raises(ValueError, match=r"data\.label=tag: unknown column of .*, did you mean 'tags'\?"):
        targets(tmp_path, label="tag")
