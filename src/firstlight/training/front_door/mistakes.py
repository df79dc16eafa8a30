"""Mistakes of the user as a `ValueError` with the message of the command line and a short traceback."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_OURS = Path(__file__).resolve().parents[2]


def short_mistakes(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function of the front door raise mistakes of the user without the frames inside firstlight.

    Errors of other code, such as the user's own network, keep their traceback. HYDRA_FULL_ERROR=1 keeps all.
    """

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(*interrupt.args) from None
        except Exception as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1" or not _is_mistake(error):
                raise
            from firstlight.config.errors import explain

            words = [word for word in args if isinstance(word, str)]
            raise ValueError(explain(error, words)) from None

    return called


def _is_mistake(error: Exception) -> bool:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, HydraException | OmegaConfBaseException):
        return True
    return isinstance(error, ValueError) and _origin(error.__traceback__).is_relative_to(_OURS)


def _origin(frames: TracebackType | None) -> Path:
    """Return the file of the innermost frame."""
    assert frames is not None
    while frames.tb_next is not None:
        frames = frames.tb_next
    return Path(frames.tb_frame.f_code.co_filename)
