"""Where the configs lie, and how they are composed from Python."""

import secrets
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from firstlight.config.checking.steps import add_targets
from firstlight.config.overrides import with_quotes

_CHECKOUT = Path(__file__).resolve().parents[3] / "configs"
_INSTALLED = Path(__file__).resolve().parents[1] / "configs"  # where the wheel carries them
CONFIG_DIR = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT

# `use_cache` keeps the answer for all jobs of one sweep.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)

# Images of any size are stored as networks are wont to see them: small, or large where weights were found with that.
OmegaConf.register_new_resolver("image_size", lambda weights: 64 if weights is None else 224, replace=True)


def compose(*overrides: str, config_name: str = "train") -> DictConfig:
    """The config that `scripts/<config_name>.py <overrides>` would run, resolved.

    Raises:
        hydra.errors.HydraException: for a group, option or key that there is not.
    """
    return OmegaConf.create(to_plain(compose_lazily(*overrides, config_name=config_name)))


def compose_lazily(*overrides: str, config_name: str = "train") -> DictConfig:
    """The same with interpolations and missing values as they stand in the YAML, and with Hydra's own node."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.hydra_config import HydraConfig

    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        composed = hydra_compose(config_name, with_quotes(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        return composed


def to_plain(config: DictConfig) -> dict[str, Any]:
    """The config as dicts, lists and numbers, every interpolation resolved, without Hydra's own node.

    Steps of the augmentation, which YAML names by their keys, have a `_target_` as all else.
    """
    plain: dict[str, Any] = {}
    for key in config:
        if key != "hydra":
            value = config[key]
            plain[str(key)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    if isinstance(plain.get("augment"), dict):
        add_targets(plain["augment"])
    return plain
