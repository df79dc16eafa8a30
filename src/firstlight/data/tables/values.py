"""The numbers, truth values and dates that texts of a table stand for, and the formats in which they are written."""

import polars as pl

# What stands for an empty cell among numbers, beside the words of `table_layout.EMPTY`.
EMPTY_NUMBERS = ("-", "--", ".", "none", "nil")
_TRUE, _FALSE = ["true", "yes", "y", "t", "on", "1", "1.0"], ["false", "no", "n", "f", "off", "0", "0.0"]
_GROUP = {".": "[, '\u2019\u00a0\u202f]", ",": "[. '\u2019\u00a0\u202f]"}  # between thousands, by decimal mark
_SIGN = r"^[$€£¥]\s*|\s*[%$€£¥]$"
_LIKE_A_DATE = r"^([0-9]{1,4}|[A-Za-z]{3,9})[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/., ]+[0-9]{2,4}|^[0-9]{8}$"
# Day before month, where both fit all cells.
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%Y%m%d"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p")
_MICROSECONDS = 86_400_000_000  # of a day


def keep(cells: pl.Series, where: pl.Series) -> pl.Series:
    """Return the cells where a condition holds, and null elsewhere."""
    return pl.select(pl.when(where).then(cells)).to_series()


def numbers(cells: pl.Series, decimal: str = ".") -> pl.Series:
    """Return the numbers in cells, float64; null where a cell is empty or no number.

    Thousands may be separated by the other of comma and point, by a space or by an apostrophe. A currency or percent
    sign is ignored if all cells have one.

    Args:
        cells: texts.
        decimal: the decimal mark, "." or ",".
    """
    cells = keep(cells, ~cells.str.to_lowercase().is_in(list(EMPTY_NUMBERS)))
    plain = cells.cast(pl.Float64, strict=False)
    if decimal == "." and plain.null_count() == cells.null_count():
        return plain
    if cells.str.contains(_SIGN).all():
        cells = cells.str.replace(_SIGN, "")
    mark, group = f"[{decimal}]", _GROUP[decimal]
    ungrouped = rf"^[+-]?([0-9]+{mark}?[0-9]*|{mark}[0-9]+)([eE][+-]?[0-9]+)?$"
    grouped = rf"^[+-]?[1-9][0-9]{{0,2}}({group}[0-9]{{3}})+({mark}[0-9]*)?$"
    is_number = cells.str.contains(rf"{ungrouped}|{grouped}|^[+-]?inf(inity)?$")
    digits = cells.str.replace_all(group, "").str.replace(mark, ".").str.strip_prefix("+")
    return keep(digits, is_number).cast(pl.Float64, strict=False)


def booleans(cells: pl.Series) -> pl.Series:
    """Return 1 for true, yes, y, t, on and 1, and 0 for their opposites, float64; null for other cells."""
    lower = cells.str.to_lowercase()
    return keep(lower.is_in(_TRUE).cast(pl.Float64), lower.is_in([*_TRUE, *_FALSE]))


def dates(cells: pl.Series, date_format: str) -> pl.Series:
    """Return the days since 1970-01-01, float64, with the time as a fraction; null for cells of another format."""
    cells = cells.str.replace(r"^([0-9-]+)T([0-9:.]+)(Z|[+]00:?00)?$", "$1 $2")
    found = cells.str.strptime(pl.Datetime("us"), date_format, strict=False)
    return found.cast(pl.Int64).cast(pl.Float64) / _MICROSECONDS


def decimal_of(cells: pl.Series) -> str | None:
    """Return the decimal mark with which more cells are numbers; None if both marks fit equally many."""
    point, comma = numbers(cells, ".").count(), numbers(cells, ",").count()
    return None if point == comma else "." if point > comma else ","


def may_have_commas(cells: pl.Series) -> bool:
    """Return whether a cell holds a comma or several points, without which the decimal mark is a point."""
    return bool(cells.str.contains(r",|[.].*[.]").any())


def date_format_of(cells: pl.Series) -> str | None:
    """Return the format in which more than half of the cells are dates, or None."""
    found = cells.drop_nulls().unique(maintain_order=True)
    sample = found.head(200)
    if 2 * sample.str.contains(_LIKE_A_DATE).sum() <= len(sample):
        return None
    days = _DAYS if sample.str.contains("[0-9]{4}").any() else [day.replace("%Y", "%y") for day in _DAYS]
    fitting = {day + time: dates(sample, day + time).count() for day in days for time in _TIMES}
    best = max(fitting.values())
    if 2 * best <= len(sample):
        return None
    return max((name for name, count in fitting.items() if count == best), key=lambda name: dates(found, name).count())
