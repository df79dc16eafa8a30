import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import Table
from firstlight.data.store import Store
from firstlight.spec import Column

ROWS = [f"{n},{n * n / 10},{'red' if n % 3 else 'blue'},{100 - n}" for n in range(30)]
HEADER = "size,weight,colour,price"
CSV = "\n".join([HEADER, *ROWS]) + "\n"


def store(folder: Path, content: str | bytes = CSV, **options: Any) -> Store:
    """Return the store of a table with this content."""
    (folder / "table.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return Table(str(folder), file="table.csv", **options).store()


def both(found: Store) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inputs and targets of both splits, concatenated."""
    splits = [found.splits[name] for name in ("train", "test")]
    return torch.cat([split.own_inputs for split in splits]), torch.cat([split.own_targets for split in splits])


def test_the_last_column_is_the_default_target(tmp_path: Path) -> None:
    found = store(tmp_path)
    inputs, targets = both(found)
    assert (inputs.dtype, targets.dtype, targets.shape) == (torch.float32, torch.float32, (30, 1))
    assert torch.equal(100 - inputs[:, :1], targets)  # price and size
    assert torch.allclose(inputs[:, 0] ** 2 / 10, inputs[:, 1])
    assert sorted(inputs[:, 0].tolist()) == list(range(30))
    spec = found.spec
    assert (spec.kind, spec.input_shape, spec.num_outputs, spec.labels) == ("numbers", (4,), 1, ("price",))
    train = found.splits["train"]
    assert spec.mean == pytest.approx([*train.own_inputs[:, :2].double().mean(0).tolist(), 0, 0])
    assert spec.target_std == pytest.approx(train.own_targets.double().std(0, correction=0).tolist())


def test_a_text_that_repeats_has_an_input_for_each_category(tmp_path: Path) -> None:
    found = store(tmp_path)
    inputs, _ = both(found)
    is_red = inputs[:, 0] % 3 > 0
    assert torch.equal(inputs[:, 2:], torch.stack([~is_red, is_red], 1).float())
    assert found.spec.columns[2] == Column("colour", "category", ("blue", "red"))
    assert (found.spec.mean[2:], found.spec.std[2:]) == ((0, 0), (1, 1))  # already of a fitting size


def test_another_column_can_be_the_target(tmp_path: Path) -> None:
    found = store(tmp_path, target="weight")
    assert (found.spec.labels, found.spec.input_shape) == (("weight",), (4,))
    inputs, targets = both(found)
    assert torch.allclose(inputs[:, :1] ** 2 / 10, targets)


def test_a_column_of_texts_can_be_the_class(tmp_path: Path) -> None:
    found = store(tmp_path, target="colour", classes=True)
    assert (found.spec.labels, found.spec.target_mean, found.spec.input_shape) == (("blue", "red"), (), (3,))
    inputs, targets = both(found)
    assert targets.dtype == torch.int64
    assert torch.equal(targets, (inputs[:, 0] % 3 > 0).long())
    assert found.splits["test"].own_targets.bincount().tolist() == [2, 4]


def test_numeric_classes_are_sorted_by_value(tmp_path: Path) -> None:
    content = "x,stars\n" + "".join(f"{n},{(2, 10, 9)[n % 3]}\n" for n in range(30))
    found = store(tmp_path, content, classes=True)
    assert found.spec.labels == ("2", "9", "10")


def test_split_seed_selects_the_test_split(tmp_path: Path) -> None:
    one, again, other = (store(tmp_path, split_seed=seed).splits["test"].own_inputs for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len(one) == 6


@pytest.mark.parametrize("name", ["iris", "wine", "diabetes"])
def test_tables_of_scikit_learn_are_read_by_name(tmp_path: Path, name: str) -> None:
    found = Table(str(tmp_path), file=name, classes=name != "diabetes").store()
    sizes = {"iris": (120, 30, (4,), 3), "wine": (142, 36, (13,), 3), "diabetes": (354, 88, (10,), 1)}
    splits = (len(found.splits["train"]), len(found.splits["test"]))
    assert (*splits, found.spec.input_shape, found.spec.num_outputs) == sizes[name]


@pytest.mark.parametrize(
    "content",
    [
        CSV.replace("\n", "\r\n"),
        "\ufeff" + CSV,
        CSV.replace("\n", "\n\n"),
        CSV.replace("red", '"red, or ""reddish"""').replace("size", ' "size"').replace(' "', '"'),
        CSV.replace(",", " , "),
    ],
    ids=["CRLF", "byte order mark", "empty lines", "quotes", "spaces"],
)
def test_other_ways_to_write_csv_give_the_same_numbers(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = store(tmp_path / "a"), store(tmp_path / "b", content)
    columns = [*other.spec.columns[:2], replace(other.spec.columns[2], categories=("blue", "red"))]  # 'red, or ...'
    assert one.spec == replace(other.spec, columns=tuple(columns))
    assert np.array_equal(one.splits["train"].own_inputs, other.splits["train"].own_inputs)


def test_the_delimiter_can_be_set(tmp_path: Path) -> None:
    assert store(tmp_path, CSV.replace(",", "!"), delimiter="!").spec.input_shape == (4,)
    assert store(tmp_path, CSV.replace(",", "\t"), delimiter="tab").spec.input_shape == (4,)
    with pytest.raises(ValueError, match=r"data\.delimiter=: must be one character, or tab"):
        Table(str(tmp_path), delimiter="")
    with pytest.raises(ValueError, match=r"data\.delimiter=tap: unknown delimiter, did you mean 'tab'"):
        Table(str(tmp_path), delimiter="tap")


def altered(line: int, text: str) -> str:
    """Return the table with one line replaced; line 1 is the header."""
    lines = CSV.splitlines()
    return "\n".join([*lines[: line - 1], text, *lines[line:]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"cannot read \(it is empty\)"),
        ("\n\n", r"cannot read \(it is empty\)"),
        (HEADER, "there are no rows below the names"),
        (altered(5, "1,2,red"), "line 5: .*3 values, but 4 columns.*write the missing values"),
        (altered(5, "1,2,red,4,5"), "line 5: .*5 values, but 4 columns.*quote values that contain it"),
        (altered(6, "large,2,red,4"), "line 6: .*size is 'large'.*write a finite number"),
        (altered(7, "1,-inf,red,4"), "line 7: .*weight is '-inf'.*write a finite number"),
        (altered(7, "1,1e39,red,4"), "line 7: .*weight is '1e39'.*write a finite number"),
        (altered(7, "1,1_0,red,4"), "line 7: .*weight is '1_0'.*write a finite number"),
        (altered(7, "1,٣,red,4"), "line 7: .*weight is '٣'.*write a finite number"),
        (altered(31, "1,2,red,cheap"), "line 31: .*price is 'cheap'.*write a finite number"),
        ('a,b\n1,2\n"x\ny",1\n2,3\n4,4\n', "line 4: .*a is 'x\ny'.*write a finite number"),
        ("size\n1\n2\n", "line 1: .*one column, 'size'.*data.delimiter"),
        ("a,b\n" + "x,1\nx,2\nx,3\n" * 9, "no column to learn from: a: one value in all rows"),
        ("a,b\n" + "1,x\n" * 9, "all rows have the class 'x'"),
        ("a,b\n1,2\n1,3\n", r"data\.test_fraction=0\.2: .*'2' has 1 in all"),
    ],
)
def test_a_wrong_table_raises_an_error_that_names_the_file_and_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        store(tmp_path, content)
    assert re.search(r"table\.csv.*: cannot read \(|data\.test_fraction", str(caught.value))
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (altered(9, "1,2,,4"), "line 9: .*the class colour is empty"),
        (CSV.replace("blue", "red"), "all rows have the class 'red'"),
        (altered(9, "1,2,green,4"), "'green' has 1 in all"),
    ],
)
def test_wrong_classes_raise_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        store(tmp_path, content, target="colour", classes=True)


def test_an_unknown_target_raises_an_error_that_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"data\.target=cost: unknown column of .*; known: colour, price, size, weight"
    ):
        store(tmp_path, target="cost")


def test_a_missing_file_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.file=prices\.csv: must be an existing file"):
        Table(str(tmp_path), file="prices.csv").store()
