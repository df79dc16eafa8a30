"""Read tables from files whose cells have types: Parquet and Excel."""

import zipfile
from pathlib import Path

import polars as pl

from firstlight.data.tables.cells import Cells
from firstlight.data.tables.layout import column_names
from firstlight.files import cannot_read


def read_typed(path: Path, *, is_excel: bool, max_gigabytes: float, is_new: bool = False) -> Cells:
    """Return the cells as texts, so that all files go the same way. Numbers keep all their digits.

    Args:
        path: the file.
        is_excel: whether it is an Excel file, whose first sheet is read, or a Parquet file.
        max_gigabytes: largest size of the unpacked file.
        is_new: see `read_table`.

    Raises:
        ValueError: the file is damaged or too large, or a column holds lists or other nested values.
    """
    try:
        _check_size(path, is_excel, max_gigabytes, is_new)
        frame = _first_sheet(path) if is_excel else pl.read_parquet(path)
    except ModuleNotFoundError as error:
        fix = 'pip install "firstlight[excel]", or save the table as CSV.'
        raise cannot_read(path, f"Excel files need the package {error.name}", fix) from error
    except Exception as error:  # of classes that only the optional package defines
        if isinstance(error, ValueError):
            raise
        raise cannot_read(path, str(error).splitlines()[0], "save the table again, or as CSV.") from error
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    if nested:
        raise cannot_read(path, f"column {nested[0]} holds {frame.schema[nested[0]]}", "leave this column out.")
    # pandas and polars give these names to columns without one.
    given = ["" if name.startswith(("__index_level_", "__UNNAMED__")) else name.strip() for name in frame.columns]
    names, unnamed = column_names(given)
    texts = [_texts(column) for column in frame.get_columns()]
    how = "the first sheet" if is_excel else "Parquet"
    return Cells(str(path), pl.DataFrame(dict(zip(names, texts, strict=True))), how, tuple(unnamed))


def _texts(column: pl.Series) -> pl.Series:
    """Return values as texts; dates as in ISO 8601, without the time where all are midnight, as in Excel."""
    if column.dtype != pl.Datetime:
        return column.cast(pl.String)
    is_midnight = (column.dt.truncate("1d") == column).all()
    return column.dt.to_string("%Y-%m-%d" if is_midnight else "%Y-%m-%d %H:%M:%S%.f")


def _first_sheet(path: Path) -> pl.DataFrame:
    import fastexcel  # the extra "excel"

    return pl.DataFrame(fastexcel.read_excel(path).load_sheet(0))


def _check_size(path: Path, is_excel: bool, max_gigabytes: float, is_new: bool) -> None:
    """Check the size of the unpacked file, which may be thousand times that of the file."""
    if not is_excel:
        lazy = pl.scan_parquet(path)
        unpacked = 8 * len(lazy.collect_schema()) * lazy.select(pl.len()).collect().item()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    else:
        return
    if unpacked > max_gigabytes * 1e9:
        limit = f"{'' if is_new else 'data.max_gigabytes='}{max_gigabytes:g}"
        fix = "use fewer rows." if is_new else "set data.max_gigabytes if the memory holds it, or use fewer rows."
        raise cannot_read(path, f"{unpacked / 1e9:.1f} GB when unpacked, more than {limit}", fix)
