"""One logger: plain lines on the screen, and the same with times, warnings and tracebacks in train.log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger("firstlight")


class _LogFile(logging.FileHandler):
    """A log file that ends, with one line on the screen, if it cannot be written; the run goes on without it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Report the error once, and write no more."""
        self.setLevel(logging.CRITICAL + 1)
        print(f"{self.baseFilename}: cannot write ({sys.exc_info()[1]}). The log ends here.", file=sys.stderr)


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
