"""What is printed: one logger, plain on the screen and with times and tracebacks in train.log; tables; any terminal."""

import errno
import io
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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
        for handler in (screen, file):
            logger.removeHandler(handler)
            warned.removeHandler(handler)
        with suppress(OSError):  # the disk may be full
            file.close()
