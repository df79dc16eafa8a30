"""Three small tables that scikit-learn bundles."""

import csv
import gzip
import importlib.util
from pathlib import Path

# Names of the columns; the last column is the target.
_COLUMNS = {
    "diabetes": "age sex bmi bp s1 s2 s3 s4 s5 s6 progression",
    "iris": "sepal_length sepal_width petal_length petal_width species",
    "wine": (
        "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols"
        " proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline cultivar"
    ),
}
_FILES = {
    "diabetes": ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"),
    "iris": ("iris.csv",),
    "wine": ("wine_data.csv",),
}
BUNDLED = tuple(_COLUMNS)


def bundled_files(name: str) -> list[Path]:
    """Return the files of a table.

    Sources: diabetes: Efron, Hastie, Johnstone & Tibshirani 2004, "Least Angle Regression"; iris: Fisher 1936;
    wine: Aeberhard, Coomans & de Vel 1994 (UCI).
    """
    found = importlib.util.find_spec("sklearn")  # importing scikit-learn takes a second
    assert found is not None
    assert found.origin is not None
    return [Path(found.origin).parent / "datasets" / "data" / file for file in _FILES[name]]


def bundled_lines(name: str) -> list[list[str]]:
    """Return a table as the lines of a CSV file: the column names, then the rows. Classes are given as names."""
    header = _COLUMNS[name].split()
    if name == "diabetes":
        features, targets = (gzip.decompress(path.read_bytes()).decode().split() for path in bundled_files(name))
        width = len(header) - 1
        rows = [[*features[row * width : (row + 1) * width], target] for row, target in enumerate(targets)]
    else:
        with bundled_files(name)[0].open(newline="") as file:
            (_, _, *classes), *rows = csv.reader(file)
        rows = [[*numbers, classes[int(target)]] for *numbers, target in rows]
    return [header, *rows]
