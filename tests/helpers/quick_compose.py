"""Compose configs in a third of the time: Hydra composes each choice of options once, and values are set in a copy.

A config consists of YAML files, which words such as `model=mlp` choose, and of values, which words such as `seed=2` set
in the result. Most tests choose the same files. What this module cannot do, or what raises an error, Hydra does itself.
"""

import copy
import functools
import importlib
import os
import re
from collections.abc import Callable
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

from firstlight.config import overrides
from firstlight.config.project.folder import CONFIG_DIR, project_dir

Compose = Callable[..., DictConfig]
_GROUPS = {path.name for path in CONFIG_DIR.iterdir() if path.is_dir()}


def install() -> None:
    """Let all calls in this process compose quickly."""
    module: Any = importlib.import_module("firstlight.config.compose")
    module.compose_unresolved = quickly(module.compose_unresolved)
    overrides.is_readable = functools.cache(overrides.is_readable)


def quickly(by_hydra: Compose) -> Compose:
    """Return `compose_unresolved` with a memory of the choices that it has composed."""
    remembered = functools.cache(by_hydra)

    @functools.wraps(by_hydra)
    def composed(*words: str, config_name: str = "train") -> DictConfig:
        rewritten = overrides.replacing_files(overrides.with_quotes(words))
        choices = [word for word in rewritten if _is_choice(word)]
        if project_dir() is not None or not all(map(_has_a_name, choices)):  # files that a test may change
            return by_hydra(*words, config_name=config_name)
        try:
            values = [_parsed(word) for word in rewritten if not _is_choice(word)]
            config = copy.deepcopy(remembered(*choices, config_name=config_name))
            ConfigLoaderImpl._apply_overrides_to_config(values, config)
        except Exception:
            return by_hydra(*words, config_name=config_name)
        with open_dict(config.hydra):
            config.hydra.overrides.task = rewritten
            config.hydra.runtime.cwd = os.getcwd()  # noqa: PTH109  # as Hydra does
        return config

    return composed


def _is_choice(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key in _GROUPS or key.startswith("hydra") or "/" in key or "@" in key


def _has_a_name(choice: str) -> bool:
    """Return whether a choice is an option of firstlight, such as `model=mlp`."""
    return re.fullmatch(r"[a-z]+=\w+", choice) is not None


@functools.cache
def _parsed(word: str) -> Override:
    found = OverridesParser.create().parse_override(word)
    assert not found.is_sweep_override()  # Hydra has an error for it
    return found
