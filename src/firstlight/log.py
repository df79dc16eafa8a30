"""One logger: plain lines on the screen, and the same with times, warnings and tracebacks in train.log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("firstlight")


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Write what is logged and warned in the block to the screen and to the end of `path`."""
    screen = logging.StreamHandler(sys.stdout)
    screen.setLevel(logging.INFO)
    file = logging.FileHandler(path, encoding="utf-8")
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
        file.close()
