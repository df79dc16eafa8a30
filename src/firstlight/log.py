"""What is printed: one logger, plain on the screen and with times and tracebacks in train.log; tables; any terminal."""

import errno
import html
import io
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

logger = logging.getLogger("firstlight")


class _LogFile(logging.FileHandler):
    """A log file that ends, with one line on the screen, if it cannot be written; the run goes on without it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Report the error once, and write no more."""
        self.setLevel(logging.CRITICAL + 1)
        print(f"{self.baseFilename}: cannot write ({sys.exc_info()[1]}). The log ends here.", file=sys.stderr)


class _Screen(io.FileIO):
    """A file that a program writes to. What is written after its reader has ended, as `head -1` does, is dropped."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EINVAL):  # EINVAL is what Windows says of a closed pipe
                raise
            return len(data)


def tolerate_terminals() -> None:
    """Let the standard streams accept every character, and stay quiet after their reader has ended.

    A character that the encoding of the terminal lacks is written as its number, such as \\u2026. Call this once, at
    the start of a program.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper:  # there is none, or a test has replaced it
            continue
        stream.flush()
        screen = io.BufferedWriter(_Screen(stream.fileno(), "w", closefd=False))
        by_line = stream.line_buffering or stream.write_through
        new = io.TextIOWrapper(screen, stream.encoding, "backslashreplace", line_buffering=by_line)
        setattr(sys, name, new)


def aligned(table: Sequence[Sequence[str]]) -> str:
    """Return the rows of a table as lines, with columns as wide as their longest text."""
    lengths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, cells, lengths)).rstrip() for cells in table)


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Write what is logged and warned in the block to the screen and to the end of `path`."""
    screen = logging.StreamHandler(sys.stdout)
    screen.setLevel(logging.INFO)
    file = _LogFile(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    warned = logging.getLogger("py.warnings")
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in (screen, file):
        logger.addHandler(handler)
        warned.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logger.level, logger.propagate = before
        for handler in (screen, file):
            logger.removeHandler(handler)
            warned.removeHandler(handler)
        with suppress(OSError):  # the disk may be full
            file.close()


def progress_bar(total: int, description: str, unit: str, file: TextIO | None = None) -> Any:
    """Return a progress bar of tqdm that is shown in a notebook or on a terminal, and disappears at its end.

    Args:
        total: number of steps.
        description: what is done.
        unit: a noun for a step.
        file: the stream that must be a terminal; None for the standard error stream.
    """
    from tqdm import tqdm  # here, because the import takes time

    options: dict[str, Any] = {"total": total, "desc": description, "unit": unit, "leave": False}
    shell = _notebook()
    if shell is None:
        return tqdm(**options, dynamic_ncols=True, disable=None, file=file)

    class NotebookBar(tqdm):
        """Draws the bar as HTML. All bars of a cell use the same place below it."""

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            text = "" if msg == "" else html.escape(str(self))
            bar = f'<progress value="{self.n}" max="{self.total}"></progress> ' if text else ""
            _draw(shell, f"{bar}<code>{text}</code>" if text else "")

    form = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
    return NotebookBar(**options, file=io.StringIO(), bar_format=form, mininterval=0.2)


def _notebook() -> Any:
    """Return the shell of IPython if it runs a notebook; None elsewhere. IPython need not be installed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


_places: dict[int, Any] = {}  # the number of the latest cell with a progress bar -> the handle of its display


def _draw(shell: Any, content: str) -> None:
    from IPython.display import HTML, display

    if shell.execution_count in _places:
        _places[shell.execution_count].update(HTML(content))
    else:
        _places.clear()
        _places[shell.execution_count] = display(HTML(content), display_id=True)
