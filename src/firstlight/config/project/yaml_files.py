"""Let Hydra find the YAML files of the project, before those of firstlight, and experiments that a path names."""

import functools
import re
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig

from firstlight.checks import suggestion
from firstlight.config.project.folder import groups, project_dir
from firstlight.config.template_words import template_word
from firstlight.files import cannot_read, user_path

_FIX = "correct this file, or use another folder as working directory."


@functools.cache
def extend_hydra() -> None:
    """Register the classes of this module with Hydra."""
    Plugins.instance().register(_ProjectSearchPath)
    Plugins.instance().register(_ProjectSource)
    Plugins.instance().register(_ExperimentSource)


class _ProjectSearchPath(SearchPathPlugin):
    """Places the project before the configs of firstlight, which Hydra calls "main", and files of experiments last."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("experiment", f"{_ExperimentSource.scheme()}://.")
        root = project_dir()
        if root is not None:
            search_path.prepend("project", f"{_ProjectSource.scheme()}://{root / 'configs'}", anchor="main")


class _ProjectSource(FileConfigSource):
    """The groups in the folder `configs` of a project that firstlight has too. Files of other tools do not count.

    The file `train.yaml` is the option `train` of a group `project`, which the train.yaml of firstlight includes. So
    it only contains what differs from firstlight's.
    """

    @staticmethod
    def scheme() -> str:
        return "project"

    def is_group(self, config_path: str) -> bool:
        first = config_path.partition("/")[0]
        return config_path in ("", "project") or (first in groups() and super().is_group(config_path))

    def is_config(self, config_path: str) -> bool:
        file = _file(config_path)
        return file is not None and super().is_config(file)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path == "":
            found = [name for name in super().list("", ObjectType.GROUP) if name in groups()]
            return [] if results_filter is ObjectType.CONFIG else found
        return [] if config_path == "project" else super().list(config_path, results_filter)

    def load_config(self, config_path: str) -> ConfigResult:
        file = _file(config_path)
        assert file is not None  # Hydra calls `is_config` first
        path = Path(self.path, self._normalize_file_name(file))
        try:
            result = super().load_config(file)
        except yaml.MarkedYAMLError as error:
            line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
            raise cannot_read(path, f"{line}{error.problem or error.context}", _FIX) from error
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            raise cannot_read(path, " ".join(str(error).split()), _FIX) from error
        if not isinstance(result.config, DictConfig):
            raise cannot_read(path, "it is not a mapping of options", _FIX)
        if config_path == "project/train":
            result.header["package"] = "_global_"
            entries = result.config.get("defaults") or []
            result.config["defaults"] = [_override(path, entry) for entry in entries if entry != "_self_"]
        if re.fullmatch("(experiment|debug)/[^_/][^/]*", config_path):  # others are parts of such files
            _check_experiment(path, result)
        return result


class _ExperimentSource(FileConfigSource):
    """Experiments that a path names, such as `experiment=outputs/sweeps/mine/best.yaml`."""

    @staticmethod
    def scheme() -> str:
        return "experiment"

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return False

    def is_config(self, config_path: str) -> bool:
        path = _named(config_path)
        return path is not None and path.is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return []

    def load_config(self, config_path: str) -> ConfigResult:
        path = _named(config_path)
        assert path is not None  # Hydra calls `is_config` first
        result = FileConfigSource(self.provider, f"file://{path.parent}").load_config(path.name)
        _check_experiment(path, result)
        return result


def _named(config_path: str) -> Path | None:
    """Return the YAML file that `experiment=<path>` names; None for the name of an experiment, or another group."""
    group, _, text = config_path.partition("/")
    return user_path(text, group) if group == "experiment" and "/" in text and text.endswith(".yaml") else None


def _file(config_path: str) -> str | None:
    """Return the path relative to `configs` of an option that Hydra asks for; None if it does not count."""
    if config_path == "project/train":
        return "train"
    return config_path if config_path.partition("/")[0] in groups() else None


def _check_experiment(path: Path, result: ConfigResult) -> None:
    """Check that the settings of an experiment belong to the whole config, and that it overrides known groups."""
    root = project_dir()
    shown = path.relative_to(root) if root is not None and path.is_relative_to(root) else path
    if result.header.get("package") != "_global_":
        raise ValueError(f'{shown}: must begin with the line "# @package _global_".')
    entries = result.config.get("defaults") if isinstance(result.config, DictConfig) else None
    for entry in entries or []:
        for key, option in {str(k): v for k, v in entry.items()}.items() if isinstance(entry, DictConfig) else ():
            group = key.rpartition(" ")[2]
            name = group.lstrip("/")
            if name in ("hydra", "experiment", "debug") or re.search("[@/]", name) or (path.parent / name).is_dir():
                continue
            if name not in groups():
                fix = template_word(name)
                raise ValueError(f"{shown}: {key}: unknown group{f'.{fix}' if fix else suggestion(name, groups())}")
            if "override" not in key or not group.startswith("/"):
                raise ValueError(f"{shown}: {key}: must be an override, as in override /{name}: {option}")


def _override(path: Path, entry: Any) -> dict[str, Any]:
    """Return the entry `data: mine` of a list of defaults as Hydra wants it: `override /data: mine`."""
    if not isinstance(entry, DictConfig) or len(entry) != 1:
        raise cannot_read(path, f"defaults: {entry}: must be a group and its option, such as data: digits", _FIX)
    ((key, option),) = entry.items()
    name = str(key).rpartition(" ")[2].lstrip("/")
    if name == "experiment":
        raise cannot_read(path, "defaults: experiment: must be left out; the settings themselves stand here", _FIX)
    if name not in groups():
        raise cannot_read(path, f"defaults: {name}: unknown group{suggestion(name, groups())}", _FIX)
    return {f"override /{name}": option}
