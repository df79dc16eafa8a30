import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_wine

from firstlight.data.files.bundled import BUNDLED, bundled_files, bundled_lines


@pytest.mark.parametrize("name", BUNDLED)
def test_the_files_exist(name: str) -> None:
    assert all(path.is_file() for path in bundled_files(name))


@pytest.mark.parametrize(("name", "load"), [("iris", load_iris), ("wine", load_wine)])
def test_rows_and_classes_equal_those_of_scikit_learn(name: str, load: type) -> None:
    expected = load()
    _, *rows = bundled_lines(name)
    assert np.array_equal([[float(cell) for cell in row[:-1]] for row in rows], expected.data)
    assert [row[-1] for row in rows] == expected.target_names[expected.target].tolist()


def test_diabetes_equals_the_unscaled_table_of_scikit_learn() -> None:
    expected = load_diabetes(scaled=False)
    _, *rows = bundled_lines("diabetes")
    table = np.array(rows, dtype=np.float64)
    assert np.array_equal(table, np.column_stack([expected.data, expected.target]))


@pytest.mark.parametrize(("name", "load"), [("diabetes", load_diabetes), ("wine", load_wine)])
def test_column_names_equal_those_of_scikit_learn(name: str, load: type) -> None:
    assert bundled_lines(name)[0][:-1] == load().feature_names


@pytest.mark.parametrize("name", BUNDLED)
def test_every_row_is_as_long_as_the_header(name: str) -> None:
    assert len({len(row) for row in bundled_lines(name)}) == 1
