"""From an exception to at most ten lines that say what was wrong, where, and what to type instead."""

import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from firstlight.checks import suggestion
from firstlight.config.checking.config import GROUPS, SUPPLIED
from firstlight.config.checking.signature import parameters
from firstlight.config.checking.steps import add_targets, step_names, step_target
from firstlight.config.compose import compose_lazily
from firstlight.config.overrides import is_readable, quoted

MAX_LINES = 10


def explain(error: BaseException, config_name: str = "train") -> str:
    """What to tell the user of an exception."""
    return "\n".join(_explain(error, config_name).strip().splitlines()[:MAX_LINES])


def _explain(error: BaseException, config_name: str) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: unknown {group}{suggestion(option, [o for o in error.options if o[0] != '_'])}"
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or str(error).rsplit(" ", 1)[-1]
        return f"{key} is missing. Give it as {key}=...; --help shows an example."
    if isinstance(error, OverrideParseException) and is_readable(quoted(error.override)):
        example = shlex.quote(quoted(error.override))
        return f"{error.override}: Hydra cannot read this. A text needs quotes, for Hydra and for the shell: {example}"
    cause = error.__cause__
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException) and cause.full_key:
        told = conflict_with_resume(sys.argv[1:]) or _unknown_key(str(cause.full_key), config_name)
        return told or f"{error}\n{cause}"
    if isinstance(error, HydraException | OmegaConfBaseException | ValueError | OSError) and str(error):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({where[0].filename}:{where[0].lineno})" if where else ""
    words = "\n".join(str(error).splitlines()[: MAX_LINES - 2])
    return f"{type(error).__name__}{place}: {words}\nHYDRA_FULL_ERROR=1 shows the whole traceback."


def conflict_with_resume(words: Sequence[str]) -> str | None:
    """What to say of overrides beside resume=, where there are any that it does not take."""
    others = [word for word in words if "=" in word and not word.startswith(("resume=", "data.dir=", "hydra.", "-"))]
    if not others or not any(word.startswith("resume=") for word in words):
        return None
    return (
        f"resume= goes on with the run's own config: {others[0]} needs a new run."
        " Beside resume= only data.dir= is taken, where the files have moved."
    )


def _unknown_key(key: str, config_name: str) -> str | None:
    """What to say of an override of a key that the config does not have."""
    # A sweep names several options of a group: any of them tells the keys.
    choices = [word.split(",")[0] for word in sys.argv[1:] if word.split("=")[0] in GROUPS]
    try:
        config = OmegaConf.to_container(compose_lazily(*choices, config_name=config_name))
    except (HydraException, OmegaConfBaseException):
        return None
    assert isinstance(config, dict)
    config.pop("hydra")
    add_targets(config.get("augment", {}))
    parent, _, name = key.rpartition(".")
    node: Any = config
    for part in parent.split(".") if parent else ():
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):  # the parent is unknown too
        return f"{key}: unknown key{suggestion(key, list(_dotted(config)))}"
    accepted = parameters(str(node["_target_"])) if "_target_" in node else None
    passed = [option for option in accepted or () if option not in SUPPLIED]
    if parent == "augment":
        passed.extend(step_names())
    if name in passed:
        options = parameters(step_target(name)) if parent == "augment" and name in step_names() else None
        example = f"{key}.{next(iter(options))}" if options else key  # a step is named with an option of its own
        return f"{key} is not in the YAML; to pass it all the same, put a plus before it: +{example}=..."
    siblings = [*(option for option in node if option != "_target_"), *passed]
    known = siblings if parent else [*siblings, *_dotted(config)]
    return f"{key}: unknown key{suggestion(name, list(dict.fromkeys(known)), prefix=parent)}"


def _dotted(node: dict[Any, Any], path: str = "") -> Iterator[str]:
    """Every key of a nested config, as a dotted path."""
    for key, value in node.items():
        if key != "_target_":
            yield path + key
            if isinstance(value, dict):
                yield from _dotted(value, f"{path}{key}.")
