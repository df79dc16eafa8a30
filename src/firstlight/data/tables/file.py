"""Read the file of a table: text with delimiters, Parquet or Excel."""

from collections.abc import Collection
from pathlib import Path

from firstlight.data.tables.cells import Cells
from firstlight.data.tables.text import read_delimited
from firstlight.data.tables.typed import read_typed
from firstlight.files import cannot_read

EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = (".parquet", ".pq")
MAX_GIGABYTES = 1.0


def read_table(
    path: Path,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    known: Collection[str] = (),
    max_gigabytes: float = MAX_GIGABYTES,
    is_new: bool = False,
) -> Cells:
    """Read a CSV, Parquet or Excel file; its suffix decides which. A CSV file may be compressed, see `open_unpacked`.

    Args:
        path: the file.
        delimiter: the character between the cells of a text file; None to find it.
        header: whether the first line of a text file names the columns; None to find out.
        known: names of columns that the file should have; they show whether it has a header.
        max_gigabytes: size of the largest file, also when unpacked.
        is_new: whether a trained network gets the rows. Rows of another length than the others are marked then, see
            `Cells`, and messages propose no options of `data`.

    Raises:
        ValueError: the file is too large, or damaged.
    """
    kind = path.suffix.lower()
    size = path.stat().st_size
    if size > max_gigabytes * 1e9:
        fix = f"set data.max_gigabytes={size / 1e9:.1f} if the memory holds ten times as much, or use fewer rows."
        why = f"{size / 1e9:.1f} GB, more than {'' if is_new else 'data.max_gigabytes='}{max_gigabytes:g}"
        raise cannot_read(path, why, "use fewer rows." if is_new else fix)
    if kind in PARQUET or kind in EXCEL:
        cells = read_typed(path, is_excel=kind in EXCEL, max_gigabytes=max_gigabytes, is_new=is_new)
    else:
        cells = read_delimited(path, delimiter, header, known, max_gigabytes=max_gigabytes, is_new=is_new)
    cells = cells.cleaned()
    if not len(cells.frame):
        raise cannot_read(path, "there are no rows below the names of the columns", "add rows.")
    return cells
