"""Tables as pandas, Excel, R and UCI write them. Each file is generated, so the right values are known."""

import bz2
import gzip
import io
import json
import lzma
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from firstlight.config.compose import compose
from firstlight.data import Table
from firstlight.data.store import Store
from firstlight.data.tables.rows import read_table_rows
from firstlight.files import read_text
from firstlight.runs import RunFolder
from firstlight.spec import DataSpec
from firstlight.training.run import train

NOISE = np.random.default_rng(0)
Row = Callable[[int], str]


def table(header: str, row: Row, count: int = 20) -> str:
    """Return the header and rows, each a function of its number."""
    return "\n".join([header, *(row(n) for n in range(count))]) + "\n"


def store(folder: Path, content: str | bytes, name: str = "table.csv", **options: Any) -> Store:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Table(str(folder), file=name, **options).store()


def encoded(path: Path, spec: DataSpec) -> dict[str, list[list[float]]]:
    """Return the inputs of each column, in the order of the file."""
    rows, *_ = read_table_rows(path, spec)
    ends = np.cumsum([column.num_inputs for column in spec.columns])
    return {
        column.name: rows[:, end - column.num_inputs : end].T.tolist()
        for column, end in zip(spec.columns, ends, strict=True)
    }


def inputs(folder: Path, content: str | bytes, **options: Any) -> dict[str, list[list[float]]]:
    found = store(folder, content, **options)
    return encoded(folder / "table.csv", found.spec)


def kind(n: int) -> str:
    return "ab"[n % 2]


# Columns that number the rows


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (",x,kind", lambda n: f"{n},{n * 7 % 20},{kind(n)}"),  # pandas
        (",x,kind", lambda n: f"{n * 7 % 20},{n},{kind(n)}"),  # pandas, shuffled
        ("Unnamed: 0,x,kind", lambda n: f"{n},{n * 7 % 20},{kind(n)}"),  # pandas, twice
        ('"","x","kind"', lambda n: f'"{n + 1}",{n * 7 % 20},"{kind(n)}"'),  # R
        ("x,kind", lambda n: f"{n + 1},{n * 7 % 20},{kind(n)}"),  # R's write.table: no name above the row names
        ("PassengerId,x,kind", lambda n: f"{n * 3 + 100},{n * 7 % 20},{kind(n)}"),
        ("patient_id,x,kind", lambda n: f"{n * 3 + 100},{n * 7 % 20},{kind(n)}"),
        ("No.,x,kind", lambda n: f"{n + 1},{n * 7 % 20},{kind(n)}"),
        ("hash,x,kind", lambda n: f"f{n}a,{n * 7 % 20},{kind(n)}"),
    ],
)
def test_columns_that_number_the_rows_are_left_out(tmp_path: Path, header: str, row: Row) -> None:
    found = store(tmp_path, table(header, row))
    assert [column.name for column in found.spec.columns] == ["x"]
    assert sum("left out: " in line for line in found.remarks) == 1


def test_the_row_numbers_of_a_file_without_header_are_left_out(tmp_path: Path) -> None:
    found = store(tmp_path, "".join(f"{n + 1},1.{n * 7 % 20},{kind(n)}\n" for n in range(20)))  # as UCI's glass.data
    assert [column.name for column in found.spec.columns] == ["column_2"]


@pytest.mark.parametrize("name", ["year", "acid", "number of rooms", "pH"])
def test_whole_numbers_without_the_name_of_an_id_are_inputs(tmp_path: Path, name: str) -> None:
    found = store(tmp_path, table(f"{name},kind", lambda n: f"{n + 1990},{kind(n)}"))
    assert [column.name for column in found.spec.columns] == [name]
    assert "it numbers the rows, and data.drop leaves it out" in "\n".join(found.remarks)


def test_noise_with_an_index_column_is_not_learned(tmp_path: Path) -> None:
    rows = table(",x,y,kind", lambda n: f"{n},{NOISE.normal():.4f},{NOISE.normal():.4f},{'ab'[n >= 100]}", 200)
    assert least_squares_accuracy(store(tmp_path, rows, test_fraction=0.4)) < 0.65
    insisted = store(tmp_path, rows, test_fraction=0.4, columns=["column_1", "x", "y"])
    assert least_squares_accuracy(insisted) > 0.9  # the rows are sorted by class


def least_squares_accuracy(found: Store) -> float:
    """Return the accuracy on the test split of the linear classifier that least squares fits to the training split."""
    (train_x, train_y), (test_x, test_y) = (
        (np.c_[split.own_inputs.numpy(), np.ones(len(split))], split.own_targets.numpy())
        for split in (found.splits["train"], found.splits["test"])
    )
    weights = np.linalg.lstsq(train_x, train_y - 0.5, rcond=None)[0]
    return float(((test_x @ weights > 0) == test_y).mean())


# Headers and delimiters


@pytest.mark.parametrize(
    ("first", "row", "is_data"),
    [
        ("5.1,3.5,Iris-b", lambda n: f"{n / 4},{n % 7},Iris-{kind(n)}", True),
        ("M,0.455,15", lambda n: f"{'MFI'[n % 3]},0.{n + 365},{n % 9}", True),
        ("p,x,s,b", lambda n: f"{'pe'[n % 2]},{'xyz'[n % 3]},{'st'[n % 5 > 2]},{kind(n)}", True),  # all texts
        ("?,1.5,a", lambda n: f"{n},{n * n},{kind(n)}", True),
        ("2020-01-01,5,a", lambda n: f"2020-02-{n + 1:02},{n * n},{kind(n)}", True),
        ("cap,shape,bruises,kind", lambda n: f"{'pe'[n % 2]},{'xyz'[n % 3]},{'st'[n % 5 > 2]},{kind(n)}", False),
        ("RI,Na,Type", lambda n: f"{n / 3},{n * n},{kind(n)}", False),  # no empty cell
        ("0,1,2", lambda n: f"{n / 3},{n * n},{kind(n)}", False),  # pandas without names
        ("country,1990,1991", lambda n: f"{kind(n)},{n / 3},{n * n}", False),
    ],
)
def test_a_header_differs_from_the_rows_below_it(tmp_path: Path, first: str, row: Row, is_data: bool) -> None:
    content = table(first, row)
    found = store(tmp_path, content)
    assert sum(len(split) for split in found.splits.values()) == 20 + is_data
    assert (found.spec.columns[0].name == "column_1") is is_data
    assert ("line 1 is data (data.header=false)" in found.remarks[0]) is is_data
    other = Table(str(tmp_path), file="table.csv", header=is_data, classes=True, test_fraction=0.5)
    if first not in ("country,1990,1991",):  # whose last column has a class for each row
        assert (other._cells().has_header, len(other._cells().frame)) == (is_data, 21 - is_data)


def test_a_first_line_of_names_and_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 1: cannot read \(some .* To fix: set data.header=true if"):
        store(tmp_path, table("size,7,a", lambda n: f"{n},{n * n},{kind(n)}"))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " ", "   ", ", ", " ; "])
def test_the_delimiter_is_found(tmp_path: Path, mark: str) -> None:
    content = table("size,weight,kind", lambda n: f"{n * n},{n / 4},{kind(n)}").replace(",", mark)
    assert inputs(tmp_path, content)["weight"] == [[n / 4 for n in range(20)]]


@pytest.mark.parametrize("word", ["tab", r"\t", "\t"])
def test_a_tab_is_named(tmp_path: Path, word: str) -> None:
    content = table("size\tweight\tkind", lambda n: f"{n * n}\t{n / 4}\t{kind(n)}")
    assert inputs(tmp_path, content, delimiter=word)["weight"] == [[n / 4 for n in range(20)]]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: "sep=,\r\n" + text.replace("\n", "\r\n"),  # Excel
        lambda text: text.replace("\n", "\r"),  # old Macintosh
        lambda text: "\n\n" + text + "\n\n",
        lambda text: text.replace("\n", ",\n"),  # a delimiter at the end of each line
        lambda text: text.replace("\n", ",\n").replace("kind,\n", "kind\n"),
        lambda text: text + ",,\n,,\n",  # Excel, after rows were deleted
        lambda text: '"' + text.replace(",", '","').replace("\n", '"\n"').removesuffix('"'),
    ],
    ids=["byte order mark", "Excel", "CR", "blank lines", "last comma", "last comma below", "empty rows", "quotes"],
)
def test_the_same_table_is_written_in_many_ways(tmp_path: Path, change: Callable[[str], str]) -> None:
    content = change(table("size,weight,kind", lambda n: f"{n * n},{n / 4},{kind(n)}"))
    found = store(tmp_path, content)
    assert (found.spec.labels, found.spec.input_shape) == (("a", "b"), (2,))
    assert encoded(tmp_path / "table.csv", found.spec)["weight"] == [[n / 4 for n in range(20)]]


def test_a_name_that_occurs_twice_gets_a_number(tmp_path: Path) -> None:
    found = store(tmp_path, table("x,x,x_2,kind", lambda n: f"{n * n},{n / 4},{n % 3},{kind(n)}"))
    assert [column.name for column in found.spec.columns] == ["x", "x_3", "x_2"]
    assert "names that occur again become x_3" in found.remarks[0]


# Kinds of columns


@pytest.mark.parametrize(
    ("mark", "row", "value"),
    [
        (";", lambda n: f"{n},{n % 10}5", lambda n: n + n % 10 / 10 + 0.05),
        (";", lambda n: f"1.{n + 100},5", lambda n: 1100.5 + n),
        (",", lambda n: f'"{n},{n % 10}5"', lambda n: n + n % 10 / 10 + 0.05),
        (",", lambda n: f'"{n + 1},{n + 100}"', lambda n: 1000 * n + 1100 + n),  # thousands
        (",", lambda n: f'"1,{n + 100},000.5"', lambda n: 1_100_000.5 + 1000 * n),
        (";", lambda n: f"1.{n + 100}.000", lambda n: 1_100_000 + 1000 * n),
        (",", lambda n: f"1'{n + 100}", lambda n: 1100 + n),  # Switzerland
        (";", lambda n: f"1\u202f{n + 100},5", lambda n: 1100.5 + n),  # France
        (",", lambda n: f'"${n},{n + 100}.50"' if n else '"$0.50"', lambda n: (1001 * n + 100 if n else 0) + 0.5),
        (",", lambda n: f"{n}%", lambda n: n),
        (",", lambda n: f"+{n}.", lambda n: n),
        (",", lambda n: f"{n}e-1", lambda n: n / 10),
        (",", lambda n: f'"{n + 1}"', lambda n: n + 1),
        ("\t", lambda n: f"0,{n + 100}", lambda n: (n + 100) / 1000),
    ],
)
def test_numbers_are_read_as_people_write_them(
    tmp_path: Path, mark: str, row: Row, value: Callable[[int], float]
) -> None:
    found = inputs(tmp_path, table(f"x{mark}kind", lambda n: f"{row(n)}{mark}{kind(n)}"))
    assert found["x"] == [pytest.approx([value(n) for n in range(20)])]


def test_other_columns_show_the_decimal_mark_of_a_column_that_does_not(tmp_path: Path) -> None:
    content = table("x;y;kind", lambda n: f"1.{n + 100};{n},5;{kind(n)}")
    assert inputs(tmp_path, content)["x"] == [[1100 + n for n in range(20)]]
    assert inputs(tmp_path, content, decimal=".", drop=["y"])["x"] == [
        pytest.approx([1.1 + n / 1000 for n in range(20)])
    ]


def test_each_column_has_its_own_decimal_mark(tmp_path: Path) -> None:
    found = inputs(tmp_path, table("x;y;kind", lambda n: f"{n},5;{n}.25;{kind(n)}"))
    assert found == {"x": [[n + 0.5 for n in range(20)]], "y": [[n + 0.25 for n in range(20)]]}


@pytest.mark.parametrize("words", ["True False", "TRUE FALSE", "yes no", "Y N", "t f", "false true"])
def test_truth_values_are_one_input(tmp_path: Path, words: str) -> None:
    found = inputs(tmp_path, table("x,kind", lambda n: f"{words.split()[n % 3 > 1]},{kind(n)}"))
    is_first_true = words[0].lower() in "ty"
    assert found["x"] == [[float((n % 3 <= 1) is is_first_true) for n in range(20)]]


@pytest.mark.parametrize(
    ("written", "days"),
    [
        (lambda n: f"1970-02-{n + 1:02}", lambda n: 31 + n),
        (lambda n: f"{n + 1}.2.1970", lambda n: 31 + n),
        (lambda n: f"2/{n + 1}/1970", lambda n: 31 + n),  # only as month/day
        (lambda n: f"{n + 1}/2/1970", lambda n: 31 + n),
        (lambda n: f"{n + 1:02}-Feb-1970", lambda n: 31 + n),
        (lambda n: f'"Feb {n + 1}, 1970"', lambda n: 31 + n),
        (lambda n: f"1970-02-{n + 1:02}T12:00:00Z", lambda n: 31.5 + n),
        (lambda n: f"1970/02/{n + 1:02} 06:00", lambda n: 31.25 + n),
        (lambda n: f"{n + 1:02}/02/70 06:00 PM", lambda n: 31.75 + n),
    ],
)
def test_dates_are_days(tmp_path: Path, written: Row, days: Callable[[int], float]) -> None:
    found = inputs(tmp_path, table("x,kind", lambda n: f"{written(n)},{kind(n)}"))
    assert found["x"] == [[days(n) for n in range(20)]]


def test_columns_of_no_use_are_left_out_with_the_reason(tmp_path: Path) -> None:
    row: Row = lambda n: f"{n * n},5,,Mr. {n},{'x' if n else 'y'},{n}@mail,{kind(n)}"  # noqa: E731
    content = table("x,constant,empty,name,rare,code,kind", row)
    found = store(
        tmp_path, content, split_seed=next(seed for seed in range(9) if _first_is_test(tmp_path, content, seed))
    )
    assert [column.name for column in found.spec.columns] == ["x"]
    shown = "\n".join(found.remarks)
    assert "constant" in shown
    for reason in ("one value in all rows", "no values", "texts that hardly repeat"):
        assert f"left out: {reason}" in shown


def _first_is_test(folder: Path, content: str, seed: int) -> bool:
    """Return whether the first row, the only one whose `rare` is y, is in the test split."""
    return 0.0 in store(folder, content, split_seed=seed, columns=["x"]).splits["test"].own_inputs


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_tables_in_other_encodings_are_read_and_the_encoding_is_printed(tmp_path: Path, encoding: str) -> None:
    content = table("Größe,Städte,kind", lambda n: f"{n * n},{('Köln', 'Düsseldorf', 'Nürnberg')[n % 3]},{kind(n)}", 30)
    found = store(tmp_path, content.encode(encoding))
    assert [column.name for column in found.spec.columns] == ["Größe", "Städte"]
    assert found.spec.columns[1].categories == ("Düsseldorf", "Köln", "Nürnberg")
    assert ("read as" in found.remarks[0]) == (encoding != "utf-8-sig")


def test_the_user_chooses_drops_and_types_columns(tmp_path: Path) -> None:
    content = table("x,zip,name,when,kind", lambda n: f"{n * n},{n % 3 + 100},n{n},2020010{n % 9 + 1},{kind(n)}")
    assert list(inputs(tmp_path, content)) == ["x", "zip", "when"]
    assert list(inputs(tmp_path, content, drop=["zip", "when"])) == ["x"]
    assert list(inputs(tmp_path, content, columns=["zip"])) == ["zip"]
    assert inputs(tmp_path, content, columns=["zip"], types={"zip": "category"})["zip"] == [
        [float(n % 3 == category) for n in range(20)] for category in range(3)
    ]
    assert inputs(tmp_path, content, types={"when": "date"})["when"][0][:2] == [18262, 18263]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"columns": ["nmae"]}, "data.columns=nmae: unknown column of .*did you mean 'name'"),
        ({"drop": ["kind"]}, "data.drop: must not contain 'kind', the target"),
        ({"types": {"x": "numbre"}}, "data.types.x=numbre: unknown kind of a column, did you mean 'number'"),
    ]
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            store(tmp_path, content, **options)
    with pytest.raises(ValueError, match=r"data.columns: must not contain 'name'.* data.types=\{name:category\}"):
        store(tmp_path, content, columns=["name"])
    assert compose("data=table", "data.types={name:category}").data.types == {"name": "category"}
    with pytest.raises(ValueError, match=r"data.types=\['name'\]: must be kinds by the names of columns"):
        store(tmp_path, content, types=["name"])


# Empty cells


@pytest.mark.parametrize("word", ["", "NA", "n/a", "NaN", "null", "?", "<NA>", "-", " "])
def test_empty_cells_become_the_median_of_the_training_split_with_a_flag(tmp_path: Path, word: str) -> None:
    content = table("x,kind", lambda n: f"{word if n % 4 == 1 else 10.0**n},{kind(n)}")
    found = store(tmp_path, content)
    train_values = found.splits["train"].own_inputs
    median = float(np.median(train_values[train_values[:, 1] == 0, 0]))
    (column,) = found.spec.columns
    assert (column.fill, column.has_flag) == (pytest.approx(median, rel=1e-6), True)
    values, flags = encoded(tmp_path / "table.csv", found.spec)["x"]
    assert flags == [float(n % 4 == 1) for n in range(20)]
    assert values[1::4] == [pytest.approx(median)] * 5
    assert found.spec.mean[1:] == (0,)


def test_empty_cells_are_refused_on_request(tmp_path: Path) -> None:
    content = table("x,colour,kind", lambda n: f"{n * n},{'' if n == 7 else 'xyz'[n % 3]},{kind(n)}")
    with pytest.raises(ValueError, match=r"line 9: cannot read \(colour is empty, in 1 rows\).*data.drop=\[colour\]"):
        store(tmp_path, content, on_empty="error")
    assert store(tmp_path, content, on_empty="error", drop=["colour"]).spec.input_shape == (1,)
    assert store(tmp_path, content).spec.columns[1].num_inputs == 4  # three colours and the flag
    with pytest.raises(ValueError, match=r"data\.on_empty=drop: unknown way to treat empty cells; known: error, fill"):
        Table(str(tmp_path), on_empty="drop")


def test_the_test_split_does_not_change_what_the_training_split_says(tmp_path: Path) -> None:
    first = store(tmp_path, table("x,colour,kind", lambda n: f"{n * n},{'xyz'[n % 3]},{kind(n)}", 40))
    tested = {round(float(x) ** 0.5) for x in first.splits["test"].own_inputs[:, 0]}
    changed: Row = lambda n: f"{9**9 if n in tested else n * n},{'new' if n in tested else 'xyz'[n % 3]},{kind(n)}"  # noqa: E731
    other = store(tmp_path, table("x,colour,kind", changed, 40))
    assert other.spec == first.spec
    assert other.splits["test"].own_inputs[:, 1:].sum() == 0
    assert "colour: unknown categories have no input (8): new" in "\n".join(other.remarks)


# Targets


@pytest.mark.parametrize(
    ("label", "labels"),
    [
        (lambda n: n % 3 + 1, ("1", "2", "3")),
        (lambda n: (2, 10, 9)[n % 3], ("2", "9", "10")),
        (lambda n: f"{n % 3 + 1}.0", ("1", "2", "3")),  # pandas, after a column had empty cells
        (lambda n: ["1", "1.0", "2"][n % 3], ("1", "2")),
        (lambda n: n % 2 == 0, ("False", "True")),
        (lambda n: "-+"[n % 2], ("+", "-")),
        (lambda n: n % 2, ("0", "1")),
    ],
)
def test_classes_are_numbered_from_0_in_sorted_order(
    tmp_path: Path, label: Callable[[int], object], labels: tuple[str, ...]
) -> None:
    found = store(tmp_path, table("x,y", lambda n: f"{n / 4},{label(n)}"), classes=True if len(labels) > 2 else None)
    assert found.spec.labels == labels
    for split in found.splits.values():
        wanted = [str(label(int(4 * x))).removesuffix(".0") for x in split.inputs[:, 0]]
        assert [labels[target] for target in split.targets] == wanted


def test_numbers_are_no_classes_unless_the_user_says_so(tmp_path: Path) -> None:
    content = table("x,rings", lambda n: f"{n / 4},{n % 5 + 3}")
    found = store(tmp_path, content)
    assert (found.spec.targets, found.spec.labels) == ("numbers", ("rings",))
    assert "data.classes=true makes its 5 values classes" in found.remarks[1]
    assert store(tmp_path, content, classes=True).spec.labels == ("3", "4", "5", "6", "7")
    assert compose("data=table", "task=classification").data.classes is True
    assert compose("data=table").data.classes is None


def test_a_text_is_no_number(tmp_path: Path) -> None:
    content = table("x,y", lambda n: f"{n / 4},{kind(n)}")
    with pytest.raises(ValueError, match=r"data.target=y: must be a column of numbers.*task=classification"):
        store(tmp_path, content, classes=False)


# Layouts of well-known tables


def titanic(n: int) -> str:
    age, cabin = "" if n % 5 == 0 else str(20 + n % 40), "" if n % 4 else f"C{n}"
    ticket = f"A/5 {n}" if n % 4 == 0 else str(1000 + 7 * n)
    port = "" if n == 7 else "SCQ"[n % 3]
    name, sex = f'"Doe, Mr. John ""J"" {n}"', ("male", "female")[n % 2]
    return f"{n + 1},{n % 2},{n % 3 + 1},{name},{sex},{age},{n % 3},{n % 4},{ticket},{n * n / 4},{cabin},{port}"


def adult(n: int) -> str:
    person = f"{('HS-grad', '10th')[n % 2]}, {(13, 9)[n % 2]}, {('Divorced', 'Separated')[n % 3 > 1]}"
    work = f"{('Sales', '?')[n % 5 > 3]}, {('Wife', 'Unmarried')[n % 2]}, White, {('Male', 'Female')[n % 2]}"
    money = f"{17 * n % 7}, {n % 3}, {40 + n % 3}, United-States, {('<=50K', '>50K')[n % 2]}"
    return f"{20 + n % 50}, {('State-gov', 'Private', '?')[n % 3]}, {77516 + 3 * n * n}, {person}, {work}, {money}"


LAYOUTS: dict[str, tuple[str, list[str], dict[Any, int], tuple[str, ...]]] = {
    "titanic": (
        table("PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked", titanic, 60),
        ["data.target=Survived"],
        {"Pclass": 1, "Sex": 2, "Age": 2, "SibSp": 1, "Parch": 1, "Fare": 1, "Embarked": 4},
        ("0", "1"),
    ),
    "adult": (
        "".join(adult(n) + "\n" for n in range(60)) + "\n",
        [],
        {1: 1, 2: 3, 3: 1, 4: 2, 5: 1, 6: 2, 7: 2, 8: 2, 10: 2, 11: 1, 12: 1, 13: 1},
        ("<=50K", ">50K"),
    ),
    "abalone": (
        "".join(f"{'MFI'[n % 3]},0.{n + 455},0.{n % 9},0.0{n + 10},{1 + n % 12}\n" for n in range(60)),
        ["data.target=column_5"],
        {1: 3, 2: 1, 3: 1, 4: 1},
        ("column_5",),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_well_known_layouts_train_untouched(tmp_path: Path, name: str) -> None:
    content, words, sizes, labels = LAYOUTS[name]
    (tmp_path / "table.csv").write_text(content)
    tiny = ["model.hidden_sizes=[8]", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    data = ["data=table", f"data.file={tmp_path / 'table.csv'}", f"data.dir={tmp_path}"]
    metrics = train(compose(*data, *words, *tiny), tmp_path / "run")
    assert metrics["status"] == "completed"
    assert ("test/accuracy" in metrics) is (len(labels) == 2)
    spec = RunFolder(tmp_path / "run").spec()
    named = {f"column_{key}" if isinstance(key, int) else key: width for key, width in sizes.items()}
    assert {column.name: column.num_inputs for column in spec.columns} == named
    assert spec.labels == labels
    rows, *_ = read_table_rows(tmp_path / "table.csv", spec)
    assert rows.shape == (60, sum(sizes.values()))
    log = (tmp_path / "run" / "train.log").read_text()
    assert all(f" {name}" in log for name in named)


@pytest.mark.parametrize("name", LAYOUTS)
def test_at_most_ten_lines_list_all_columns(tmp_path: Path, name: str) -> None:
    content, words, *_ = LAYOUTS[name]
    found = store(tmp_path, content, target=words[0].partition("=")[2] if words else None)
    assert len(found.remarks) <= 10
    assert max(map(len, found.remarks)) <= 160


# New rows


def test_new_rows_are_found_by_name(tmp_path: Path) -> None:
    row: Row = lambda n: f"{n * n},{'xyz'[n % 3]},{n % 2 == 0},{kind(n)}"  # noqa: E731
    spec = store(tmp_path, table("x,colour,on,kind", row)).spec
    spec = DataSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    path = tmp_path / "new.csv"
    path.write_text("on;extra;colour;x\nno;1;y;2,5\nyes;2;w;\n;3;;4\n")
    rows, messages, _ = read_table_rows(path, spec)
    fill = spec.columns[0].fill
    assert rows.dtype == np.float32
    assert rows.tolist() == [[2.5, 0, 1, 0, 0], [fill, 0, 0, 0, 1], [4, 0, 0, 0, spec.columns[2].fill]]
    assert messages == [
        f"x: empty cells become {fill:g} (1)",
        "colour: empty cells have no category (1)",
        "colour: unknown categories have no input (1): w",
        f"on: empty cells become {spec.columns[2].fill:g} (1)",
        "x: the decimal mark is ',', in training '.'",
        "columns that training did not use are ignored: extra",
    ]
    path.write_text("on,color,x\nno,y,2.5\n")
    with pytest.raises(ValueError, match="1 of 3 columns are missing, such as 'colour', did you mean 'color'"):
        read_table_rows(path, spec)
    path.write_text("on,colour,x\nno,y,2.5\nno,y,large\n")
    assert read_table_rows(path, spec).problems == {1: "x is 'large', not a finite number"}


# Other files, and bounds


def write_excel(path: Path, frame: pl.DataFrame) -> None:
    """Write the smallest workbook that holds numbers, texts, truth values and dates."""
    main, package = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    office = f"{package}/officeDocument/2006/relationships"

    def cell(value: object) -> str:
        if isinstance(value, date):  # style 1 is a date, counted from 1899-12-30
            return f'<c s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in [frame.columns, *frame.rows()])
    styles = "<cellXfs><xf numFmtId='0'/><xf numFmtId='14' applyNumberFormat='1'/></cellXfs>"
    files = {
        "[Content_Types].xml": f"<Types xmlns='{package}/package/2006/content-types'/>",
        "_rels/.rels": f"<Relationships xmlns='{package}/package/2006/relationships'><Relationship Id='r0'"
        f" Type='{office}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{office}'>"
        "<sheets><sheet name='a' sheetId='1' r:id='r1'/></sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{package}/package/2006/relationships'>"
        f"<Relationship Id='r1' Type='{office}/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
        "xl/styles.xml": f"<styleSheet xmlns='{main}'>{styles}</styleSheet>",
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns='{main}'><sheetData>{rows}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_parquet_and_excel_give_the_same_table(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "x": [n / 3 for n in range(20)],
            "count": [None if n == 4 else n * n for n in range(20)],
            "on": [n % 3 == 0 for n in range(20)],
            "when": pl.date_range(pl.date(1970, 2, 1), pl.date(1970, 2, 20), eager=True),
            "kind": [kind(n) for n in range(20)],
        }
    )
    frame.write_csv(tmp_path / "table.csv")
    frame.write_parquet(tmp_path / "table.parquet")
    write_excel(tmp_path / "table.xlsx", frame)
    one, *others = [Table(str(tmp_path), file=f"table.{kind}").store() for kind in ("csv", "parquet", "xlsx")]
    assert [column.kind for column in one.spec.columns] == ["number", "number", "boolean", "date"]
    for other in others:
        assert other.spec == one.spec
        assert np.array_equal(other.splits["train"].own_inputs, one.splits["train"].own_inputs)


def test_a_first_line_without_end_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a," * 50_000_000)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"line 1: cannot read \(longer than a megabyte\)"):
        Table(str(tmp_path), file="table.csv").store()
    assert time.perf_counter() - started < 2


def test_a_large_file_is_refused_with_its_size(tmp_path: Path) -> None:
    with (tmp_path / "table.csv").open("wb") as file:
        file.truncate(9_000_000_000)  # takes no space on the disk
    with pytest.raises(ValueError, match=r"9\.0 GB, more than data.max_gigabytes=1\).*set data.max_gigabytes=9"):
        Table(str(tmp_path), file="table.csv").store()
    pl.DataFrame({"a": [1] * 100_000, "b": [2] * 100_000}).write_parquet(tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=r"0\.0 GB when unpacked, more than data.max_gigabytes=0.001"):
        Table(str(tmp_path), file="table.parquet", max_gigabytes=0.001).store()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"PK\x03\x04...", "a zip archive.*unpack it"),
        ("table.csv", b"\x1f\x8b...", "compressed by gzip"),
        ("table.parquet", b"a,b\n1,2\n", "table.parquet: cannot read"),
        ("table.xlsx", b"a,b\n1,2\n", "table.xlsx: cannot read"),
        ("table.csv", b'a,b\n"' + b"x\n" * 200_000, "line .*close each quoted value"),
        ("table.csv", b"Report\n\na,b,c\n" + b"1,2,3\n4,5,6\n" * 9, "line 1: cannot read .1 values, but 3 in the rows"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        store(tmp_path, content, name)
    assert len(str(caught.value).splitlines()) <= 3


def test_new_rows_in_another_notation_are_read_as_they_are_written_or_reported(tmp_path: Path) -> None:
    spec = store(tmp_path, table("x,y,kind", lambda n: f"{n * n + 0.5},{n % 3},{kind(n)}")).spec
    new = tmp_path / "new.csv"
    new.write_text('x;y\n"100,5";1\n"1,234";2\n')  # the first row shows a decimal comma
    rows, messages, _ = read_table_rows(new, spec)
    assert rows[:, 0].tolist() == pytest.approx([100.5, 1.234])
    assert messages == ["x: the decimal mark is ',', in training '.'"]
    new.write_text("x;y\n1,234;1\n1,234;2\n")  # nothing shows which of two readings is right
    rows, messages, _ = read_table_rows(new, spec)
    assert rows[:, 0].tolist() == [1234, 1234]
    assert messages == ["x: '1,234' is read as 1234, as in training; files such as this may mean 1.234"]
    german = store(tmp_path, table("x;y;kind", lambda n: f"{n * n},5;{n % 3};{kind(n)}"), name="german.csv").spec
    new.write_text("x,y\n1.234,1\n5.678,2\n")
    assert read_table_rows(new, german)[1] == [
        "x: '1.234' is read as 1234, as in training; files such as this may mean 1.234"
    ]


# Rows that cannot be read, and files that are compressed


def test_each_row_that_cannot_be_read_is_named_and_the_others_are_encoded(tmp_path: Path) -> None:
    row: Row = lambda n: f"{n * n},{n % 2 == 0},2026-01-{n + 1:02},{'xyz'[n % 3]},{kind(n)}"  # noqa: E731
    spec = store(tmp_path, table("x,on,when,colour,kind", row)).spec
    new = tmp_path / "new.csv"
    good = "4,True,2026-01-02,x"
    bad = {
        "large,True,2026-01-02,x": "x is 'large', not a finite number",
        "1e300,True,2026-01-02,x": "x is '1e300', not a finite number",
        "4,maybe,2026-01-02,x": "on is 'maybe', not true or false",
        "4,True,2.1.2026,x": "when is '2.1.2026', not a date as %Y-%m-%d",
        f"{'long' * 99},perhaps,2026-01-02,x": f"x is '{'long' * 10}…', not a finite number, on is 'perhaps', not true or false",  # noqa: E501
        "4,True": "2 values, not 4",
        "4,True,2026-01-02,x,y,z": "6 values, not 4",
    }
    new.write_text("\n".join(["x,on,when,colour", *(f"{line}\n\n{good}" for line in bad), good]) + "\n")
    rows, messages, problems = read_table_rows(new, spec)
    assert problems == {2 * place: why for place, why in enumerate(bad.values())}
    readable = np.delete(rows, list(problems), axis=0)
    assert readable[:, :2].tolist() == [[4, 1]] * 8
    assert messages == []
    new.write_text(f"x,on,when,colour\n{good}\n{good},1,2\n{good},1,2\n")  # most rows: another delimiter, or a title
    with pytest.raises(ValueError, match=r"line 3: cannot read \(6 values, but 4 columns") as caught:
        read_table_rows(new, spec)
    assert "data." not in str(caught.value)


@pytest.mark.parametrize("words", ["1/0", "yes/no", "T/F", "1.0/0.0", "on/off", "TRUE/FALSE", "Y/N"])
def test_truth_values_of_new_rows_have_any_spelling(tmp_path: Path, words: str) -> None:
    true, false = words.split("/")
    new = tmp_path / "new.csv"
    new.write_text(f"x,on\n1,{true}\n1,{false}\n")
    for trained in ("True/False", "1/0"):
        values = trained.split("/")
        spec = store(tmp_path, table("x,on,kind", lambda n: f"{n * n},{values[n % 2]},{kind(n)}")).spec  # noqa: B023
        assert [column.kind for column in spec.columns] == ["number", "boolean" if trained != "1/0" else "number"]
        rows, messages, problems = read_table_rows(new, spec)
        assert (rows[:, 1].tolist(), problems) == ([1, 0], {})
        assert messages == (["on: true and false are read as 1 and 0"] if trained == "1/0" and true[0] != "1" else [])
    spec = store(tmp_path, table("x,on,kind", lambda n: f"{n * n},{n % 5},{kind(n)}")).spec
    assert len(read_table_rows(new, spec).problems) == (
        0 if true[0] == "1" else 2
    )  # numbers up to 4 are no truth values


@pytest.mark.parametrize(
    ("trained", "lines", "message"),
    [
        ("a,b,c,y", ["1,2"], r"it has 2 columns without names, and the run needs 3 columns: a, b, c.*names of its col"),
        ("a,b,c,y", ["1,2,3,4,5"], r"it has 5 columns without names, and the run needs 3 columns: a, b, c"),
        (
            "",
            ["1,2"],
            r"has 2 columns without names, and the run needs 3 columns: column_1, column_2, column_3.*position",
        ),
        ("a,b,c,y", ["a,b", "1,2"], r"1 of 3 columns are missing, such as 'c'"),
    ],
)
def test_a_table_with_other_columns_says_which_the_run_needs(
    tmp_path: Path, trained: str, lines: list[str], message: str
) -> None:
    random = np.random.default_rng(0).normal(size=(30, 4)).round(3)
    rows = [",".join(map(str, row)) for row in random.tolist()]
    spec = store(tmp_path, "\n".join([*filter(None, [trained]), *rows]) + "\n").spec
    (tmp_path / "new.csv").write_text("\n".join(lines * 2) + "\n")
    with pytest.raises(ValueError, match=message):
        read_table_rows(tmp_path / "new.csv", spec)
    if not trained:
        (tmp_path / "new.csv").write_text("1,2,3,4,5\n" * 3)
        assert read_table_rows(tmp_path / "new.csv", spec).messages == [
            "columns that training did not use are ignored: column_5; of the 5 columns without names, the run needs 3"
        ]
        (tmp_path / "new.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")  # names where training had none
        assert list(read_table_rows(tmp_path / "new.csv", spec).problems) == [0]


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "table.csv.gz": gzip.compress,
    "table.csv.bz2": bz2.compress,
    "table.tsv.xz": lzma.compress,
    "table.csv": gzip.compress,  # whatever its name
    "table.csv.zip": lambda content: zipped({"table.csv": content, "__MACOSX/._table.csv": b"litter"}),
}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", PACKERS)
def test_compressed_tables_and_texts_are_read(tmp_path: Path, name: str) -> None:
    mark = "\t" if ".tsv" in name else ","
    content = table(f"x{mark}kind", lambda n: f"{n * n + 0.5}{mark}{kind(n)}")
    found = store(tmp_path, PACKERS[name](content.encode()), name)
    assert [column.name for column in found.spec.columns] == ["x"]
    assert f"unpacked by {name.rpartition('.')[2].replace('bz2', 'bzip2')}" in found.remarks[0] or name == "table.csv"
    rows, _, problems = read_table_rows(tmp_path / name, found.spec)
    assert (rows[:, 0].tolist(), problems) == ([n * n + 0.5 for n in range(20)], {})
    assert read_text(tmp_path / name) == content


def test_archives_that_are_damaged_or_too_large_or_ambiguous_are_refused(tmp_path: Path) -> None:
    content = b"x,y\n" + b"0,0\n" * 2_000_000  # 8 MB in 8 kB
    packed = gzip.compress(content)
    for data, message in [
        (packed[:-20], "compressed by gzip, and damaged"),
        (zipped({"a.csv": b"x\n", "b.csv": b"x\n"}), "a zip archive of 2 files"),
        (zipped({"[Content_Types].xml": b"<a/>", "xl/workbook.xml": b"<a/>"}), "it is an Excel file"),
    ]:
        with pytest.raises(ValueError, match=message):
            store(tmp_path, data, "t.csv.zip")
    (tmp_path / "t.csv.gz").write_bytes(packed)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"t\.csv\.gz: cannot read \(more than 0\.001 GB when unpacked"):
        Table(str(tmp_path), file="t.csv.gz", max_gigabytes=0.001).store()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
    (tmp_path / "note.txt").write_bytes(b"BZh9 is no archive")
    assert read_text(tmp_path / "note.txt") == "BZh9 is no archive"
