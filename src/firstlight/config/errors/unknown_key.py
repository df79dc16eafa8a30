"""The message for an unknown key: the nearest known one, what adds it, or which option of its group has it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from firstlight.checks import nearest, suggestion
from firstlight.config.checking.nodes import supplied, with_interval
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.checking.steps import add_targets, step_names, step_target
from firstlight.config.compose import compose_unresolved
from firstlight.config.project import groups, option_files
from firstlight.config.template_words import template_word

_MAX_OWNERS = 6  # options of a group that a message names
_AUTO_TARGET = "firstlight.tasks.build.Auto"
_AUTO_TASKS = ("classification", "regression", "multilabel")  # those that the data can decide on


def unknown_key(key: str, argv: Sequence[str], config_name: str) -> str | None:
    """Return the message for an unknown key; None if the config cannot be composed from the chosen options alone.

    Args:
        key: the dotted path.
        argv: the words of the command line.
        config_name: the name of the command.
    """
    try:
        config = composed(argv, config_name)
    except (HydraException, OmegaConfBaseException):
        return None
    replacement = template_word(key) if config_name == "train" or key == "ckpt_path" else None
    if replacement and key.partition(".")[0] not in config:
        return f"{key}: unknown key.{replacement}"
    parent, _, name = key.rpartition(".")
    if parent == "task.metrics":  # the names of added metrics are free
        return f"{key}: must have a plus before it, because no YAML file contains it. To fix: +{key}=..."
    node: Any = config
    for part in parent.split(".") if parent else ():
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):  # the parent is unknown too
        return f"{key}: unknown key{suggestion(key, list(dotted_keys(config)))}"
    arguments = _arguments(parent, str(node.get("_target_")))
    if parent == "augment":
        arguments.extend(step_names())
    if name in arguments:
        options = parameters(step_target(name)) if parent == "augment" and name in step_names() else None
        example = f"{key}.{next(iter(options))}" if options else key  # a step is added with one of its options
        return f"{key}: must have a plus before it, because no YAML file contains it. To fix: +{example}=..."
    siblings = list(dict.fromkeys([*(option for option in node if option != "_target_"), *arguments]))
    everywhere = [] if parent else list(dotted_keys(config))  # `lr` alone may stand for `optimizer.lr`
    known = everywhere if nearest(name, everywhere) else siblings
    owners = [] if nearest(name, known) else _owners(parent, name)
    if str(node.get("_target_")) == _AUTO_TARGET:
        owners = [owner for owner in owners if owner in _AUTO_TASKS]
    if owners:
        return f"{key}: must be used with {parent}={' or '.join(filter(None, (', '.join(owners[:-1]), owners[-1])))}."
    return f"{key}: unknown key{suggestion(name, known, prefix=parent)}"


def composed(argv: Sequence[str], config_name: str) -> dict[str, Any]:
    """Return the config of the options that a command line chooses, without its other words.

    Raises:
        hydra.errors.HydraException: an option is unknown.
    """
    config = OmegaConf.to_container(compose_unresolved(*_choices(argv), config_name=config_name))
    assert isinstance(config, dict)
    config.pop("hydra")
    add_targets(config.get("augment") or {})
    return {str(key): value for key, value in config.items()}


def dotted_keys(node: dict[Any, Any], path: str = "") -> Iterator[str]:
    """Yield every key of a nested config as a dotted path."""
    for key, value in node.items():
        if key != "_target_":
            yield path + key
            if isinstance(value, dict):
                yield from dotted_keys(value, f"{path}{key}.")


def _choices(argv: Sequence[str]) -> list[str]:
    """Return the words that choose options of groups. Of several options, which a sweep names, the first counts."""
    chosen = [word for word in argv if word.partition("=")[0] in groups()]
    return [word if re.search(r"=\s*[\[{]", word) else word.split(",")[0] for word in chosen]


def _owners(group: str, name: str) -> list[str]:
    """Return the options of a group whose YAML files set a key; none if they are many, or if the group is unknown."""
    if group not in groups():
        return []
    line = re.compile(rf"^{re.escape(name)}:", re.MULTILINE)
    files = option_files(group).items()
    found = [option for option, path in files if line.search(path.read_text(encoding="utf-8", errors="replace"))]
    return found if len(found) <= _MAX_OWNERS else []


def _arguments(path: str, target: str) -> list[str]:
    """Return the arguments of a class or function that a config can set; none if the source does not show them."""
    try:
        accepted = parameters(target) or {}
    except ValueError:  # no `_target_`, or an unknown one
        return []
    passed = supplied(path, target, accepted)
    return [option for option in with_interval(path, target, accepted) if option not in passed]
