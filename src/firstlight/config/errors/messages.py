"""Turn an exception into at most ten lines that say what is wrong, where, and how to fix it."""

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from firstlight.checks import suggestion
from firstlight.config.errors.unknown_key import unknown_key
from firstlight.config.errors.unreadable import several_values, unreadable
from firstlight.config.project import groups, is_own, option_files, replaced_files
from firstlight.files import full_disk_message, is_disk_full

MAX_LINES = 10
"""The most lines of a message."""
CHANGED_BY_RESUME = ("data.dir", "data.file", "trainer.max_epochs", "trainer.max_steps", "trust")
_AMBIGUOUS = re.compile(r"Ambiguous value for argument '(.*)'$", re.MULTILINE)

_NO_GROUP = re.compile(r"Could not override '(\w+)'\. No match in the defaults list")


def explain(error: BaseException, argv: Sequence[str] = (), config_name: str = "train") -> str:
    """Return the message that the user reads in place of a traceback.

    Args:
        error: the exception.
        argv: the words of the command line, without the name of the command.
        config_name: the name of the command.
    """
    lines = _explain(error, argv, config_name).strip().splitlines()[:MAX_LINES]
    return "\n".join([*lines, *_replaced(lines[0] if lines else "")][:MAX_LINES])


def _replaced(message: str) -> list[str]:
    """Return a line about each file of the project that replaces one of the group that a message is about."""
    group = re.split(r"[.=:]", message, maxsplit=1)[0]
    paths = replaced_files().get(group, [])
    return [f"({path.relative_to(Path.cwd())} replaces the file of that name in firstlight.)" for path in paths]


def _explain(error: BaseException, argv: Sequence[str], config_name: str) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        found = option_files(group) if error.options is None else error.options  # Hydra lists none for a list of names
        if found:
            options = [name for name in found if not name.startswith("_")]
            return f"{group}={option}: unknown {group}{suggestion(option, options)}"
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or str(error).rsplit(" ", 1)[-1]
        return f"{key}: must be set, as in {key}=... (--help shows examples)."
    if isinstance(error, OverrideParseException) and (message := unreadable(error.override, argv)):
        return message
    if isinstance(error, HydraException) and (ambiguous := _AMBIGUOUS.match(str(error))):
        return several_values(ambiguous[1])
    refused = _NO_GROUP.match(str(error))
    if isinstance(error, HydraException) and refused and refused[1] in groups():  # another command has it
        others = [word for word in argv if word.partition("=")[0] not in groups()]
        return unknown_key(refused[1], others, config_name) or str(error)
    added = [word for word in argv if _is_group_with_plus(word)]
    if isinstance(error, HydraException) and added and str(error).startswith("Multiple values for"):
        word = added[0]
        return (
            f"{word}: must be without the plus, because the config has this group already. To fix: {word.lstrip('+')}"
        )
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException) and cause.full_key:
        message = conflict_with_resume(argv) or unknown_key(str(cause.full_key), argv, config_name)
        return message or f"{error}\n{cause}"
    if isinstance(error, OSError) and is_disk_full(error) and error.filename:
        return full_disk_message(error)
    if isinstance(error, HydraException | OmegaConfBaseException | ValueError | OSError) and str(error):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(frame.filename)]  # libraries raise errors about the code of the project
    place = "".join(f" ({frame.filename}:{frame.lineno})" for frame in (own or frames)[-1:])
    text = "\n".join(str(error).splitlines()[: MAX_LINES - 2])
    return f"{type(error).__name__}{place}: {text}\nHYDRA_FULL_ERROR=1 shows the whole traceback."


def _is_group_with_plus(word: str) -> bool:
    return word.startswith("+") and word.lstrip("+").partition("=")[0] in groups()


def conflict_with_resume(argv: Sequence[str]) -> str | None:
    """Return the message if overrides that may not change are combined with `resume=`; None if there are none."""
    allowed = ("resume=", *(f"{key}=" for key in CHANGED_BY_RESUME), "hydra.", "-")
    others = [word for word in argv if "=" in word and not word.lstrip("+").startswith(allowed)]
    if not others or not any(word.startswith("resume=") for word in argv):
        return None
    return (
        f"{others[0]}: must be left out, because resume= continues a run with its own config. Only data.dir= or"
        " data.file= may be given, if the files have moved, and trainer.max_epochs= or trainer.max_steps=, if the run"
        " is to be longer."
    )
