"""Configs of runs of the template's module and data."""

from typing import Any

from omegaconf import OmegaConf

from firstlight.config.compose import compose


def config_of(*words: str, **nodes: dict[str, Any]) -> dict[str, Any]:
    """Return a composed config on the CPU with other nodes, such as `task` or `data`."""
    plain: Any = OmegaConf.to_container(compose("trainer.accelerator=cpu", *words))
    return plain | nodes
