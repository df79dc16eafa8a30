"""Turn an exception into at most ten lines that say what is wrong, where, and how to fix it."""

import re
import shlex
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from firstlight.checks import nearest, suggestion
from firstlight.config.checking.config import GROUPS
from firstlight.config.checking.nodes import supplied, with_interval
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.checking.steps import add_targets, step_names, step_target
from firstlight.config.compose import compose_unresolved
from firstlight.config.overrides import is_readable, quoted
from firstlight.config.project import is_own, replaced_files
from firstlight.files import full_disk_message, is_disk_full

MAX_LINES = 10
CHANGED_BY_RESUME = ("data.dir", "data.file", "trainer.max_epochs", "trainer.max_steps", "trust")


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
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = error.missing_cfg_file.rpartition("/")
        options = [name for name in error.options if not name.startswith("_")]
        return f"{group}={option}: unknown {group}{suggestion(option, options)}"
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or str(error).rsplit(" ", 1)[-1]
        return f"{key}: must be set, as in {key}=... (--help shows examples)."
    if isinstance(error, OverrideParseException) and is_readable(quoted(error.override)):
        example = shlex.quote(quoted(error.override))
        return f"{error.override}: cannot read this word. To fix: quote it for Hydra and for the shell: {example}"
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException) and cause.full_key:
        message = conflict_with_resume(argv) or _unknown_key(str(cause.full_key), argv, config_name)
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


def _unknown_key(key: str, argv: Sequence[str], config_name: str) -> str | None:
    """Return the message for an unknown key; None if the config cannot be composed from the chosen options alone."""
    # A sweep names several options of a group. The message uses the first one.
    groups = (*GROUPS, "logger")
    choices = [word if "[" in word else word.split(",")[0] for word in argv if word.split("=")[0] in groups]
    try:
        config = OmegaConf.to_container(compose_unresolved(*choices, config_name=config_name))
    except (HydraException, OmegaConfBaseException):
        return None
    assert isinstance(config, dict)
    config.pop("hydra")
    add_targets(config.get("augment", {}))
    parent, _, name = key.rpartition(".")
    if parent == "task.metrics":  # the names of added metrics are free
        return f"{key}: must have a plus before it, because no YAML file contains it. To fix: +{key}=..."
    node: Any = config
    for part in parent.split(".") if parent else ():
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):  # the parent is unknown too
        return f"{key}: unknown key{suggestion(key, list(_dotted_keys(config)))}"
    arguments = _arguments(parent, str(node.get("_target_")))
    if parent == "augment":
        arguments.extend(step_names())
    if name in arguments:
        options = parameters(step_target(name)) if parent == "augment" and name in step_names() else None
        example = f"{key}.{next(iter(options))}" if options else key  # a step is added with one of its options
        return f"{key}: must have a plus before it, because no YAML file contains it. To fix: +{example}=..."
    siblings = [*(option for option in node if option != "_target_"), *arguments]
    everywhere = [] if parent else list(_dotted_keys(config))  # `lr` alone may stand for `optimizer.lr`
    known = everywhere if nearest(name, everywhere) else list(dict.fromkeys(siblings))
    return f"{key}: unknown key{suggestion(name, known, prefix=parent)}"


def _arguments(path: str, target: str) -> list[str]:
    """Return the arguments of a class or function that a config can set; none if the source does not show them."""
    try:
        accepted = parameters(target) or {}
    except ValueError:  # no `_target_`, or an unknown one
        return []
    passed = supplied(path, target, accepted)
    return [option for option in with_interval(path, target, accepted) if option not in passed]


def _dotted_keys(node: dict[Any, Any], path: str = "") -> Iterator[str]:
    """Yield every key of a nested config as a dotted path."""
    for key, value in node.items():
        if key != "_target_":
            yield path + key
            if isinstance(value, dict):
                yield from _dotted_keys(value, f"{path}{key}.")
