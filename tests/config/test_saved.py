"""The text of config.yaml."""

from omegaconf import OmegaConf

from firstlight.config import RunConfig
from firstlight.config.saved import to_yaml


def test_the_text_is_that_of_omegaconf_whatever_was_written_before() -> None:
    words = ("data=digits", "model=cnn", "augment=moderate", "notes='yes: 1e3'", "tags=['007',x]")
    for seed in (1, 2):
        config = RunConfig.from_overrides(*words, f"seed={seed}").to_plain()
        assert to_yaml(config) == OmegaConf.to_yaml(config)
    assert to_yaml({"a": 1}) != to_yaml({"a": True})
