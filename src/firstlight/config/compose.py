"""Compose the YAML files in `configs`, and those of the project in the working directory."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf

from firstlight.config.checking.lightning_classes import check_words, is_lightning_module
from firstlight.config.checking.steps import add_targets
from firstlight.config.overrides import replacing_files, with_quotes
from firstlight.config.project import CONFIG_DIR, use_project
from firstlight.files import user_path

# `use_cache` keeps the value for all jobs of one sweep.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)

# The folder of a sweep, which Hydra creates.
OmegaConf.register_new_resolver("user_path", lambda path: str(user_path(path, "output_dir")), replace=True)

# The choice in a group; the name of the class if the command line has a node in its place.
OmegaConf.register_new_resolver("choice", lambda choice, target: choice or target.rsplit(".", 1)[-1], replace=True)

# The second half of a run's name: the network, or the LightningModule, which has a network of its own.
OmegaConf.register_new_resolver(
    "trained",
    lambda model, task, target: (task or target.rsplit(".", 1)[-1]) if _is_module(target) else model,
    replace=True,
)


def _is_module(target: str) -> bool:
    return is_lightning_module({"_target_": target})


# The size of stored images: small, or the size that most pretrained networks were trained with.
OmegaConf.register_new_resolver("image_size", lambda weights: 64 if weights is None else 224, replace=True)

# Whether the target of a table is a class: the task says it, or the data decides (None).
_CLASSES = {"firstlight.tasks.Classification": True, "firstlight.tasks.Regression": False}
OmegaConf.register_new_resolver("classes", _CLASSES.get, replace=True)


def compose(*overrides: str, config_name: str = "train") -> DictConfig:
    """Return the config that `scripts/<config_name>.py <overrides>` runs with, resolved.

    Raises:
        hydra.errors.HydraException: a group, an option or a key is unknown.
        ValueError: an override has no effect.
    """
    with composed_by_hydra(*overrides, config_name=config_name) as composed:
        plain = to_plain(composed)
        check_words(plain, overrides)
        return OmegaConf.create(plain)


@contextmanager
def composed_by_hydra(*overrides: str, config_name: str = "train") -> Iterator[DictConfig]:
    """Compose a config whose `${hydra:...}` can be resolved in this block."""
    from hydra.core.hydra_config import HydraConfig

    composed = compose_unresolved(*overrides, config_name=config_name)
    hydra_config = HydraConfig.instance()
    before, hydra_config.cfg = hydra_config.cfg, None
    hydra_config.set_config(composed)
    try:
        yield composed
    finally:
        hydra_config.cfg = before


def compose_unresolved(*overrides: str, config_name: str = "train") -> DictConfig:
    """Return the config with interpolations and missing values as in the YAML files, and with Hydra's own node."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    extend_with_project()
    with _own_hydra(), initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return hydra_compose(config_name, replacing_files(with_quotes(overrides)), return_hydra_config=True)


@contextmanager
def config_loader() -> Iterator[Any]:
    """Yield what finds the options of a group, for values such as `glob(*)`."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    extend_with_project()
    with _own_hydra(), initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Put Hydra's global state aside for the block, because the user's program may have initialized Hydra itself."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton
    from hydra.version import VersionBase

    instances: dict[type, Any] = Singleton._instances
    before = {kind: instances.pop(kind, None) for kind in (GlobalHydra, VersionBase)}
    try:
        yield
    finally:
        for kind, instance in before.items():
            instances.pop(kind, None)
            if instance is not None:
                instances[kind] = instance


def extend_with_project() -> None:
    """Let Hydra find the YAML files of the project, and Python its modules; see `config.project`."""
    from firstlight.config.project.yaml_files import extend_hydra

    use_project()
    extend_hydra()


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Return a config as dicts, lists, strings and numbers, resolved and without Hydra's own node.

    The steps of an augmentation, which YAML files name by their keys, get a `_target_` like all other nodes.
    """
    plain: dict[str, Any] = {}
    for key in config:
        if key != "hydra":
            value = config[key]
            plain[str(key)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    if isinstance(plain.get("augment"), dict):
        add_targets(plain["augment"])
    return plain
