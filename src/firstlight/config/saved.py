"""Write the config.yaml of a run folder, and read one that may come from another person: text of a bounded size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from firstlight.checks import printable
from firstlight.config.compose import to_plain
from firstlight.files import cannot_read, read_bounded

# The config of a run has about 60 values, four levels and 2 kB.
_MAX_BYTES = 2**20
_MAX_LENGTH = 10_000  # characters of one value
_MAX_DEPTH = 20
_MAX_VALUES = 20_000
_MAX_WRITTEN = 256  # texts of nodes that are kept
_FIX = "get the run folder again, or train the run again."
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it, is ten times faster


def read_saved(path: Path) -> dict[str, Any]:
    """Return the content of a run's config.yaml as dicts, lists, strings and numbers.

    A run writes its config resolved. A file with interpolations, aliases or tags was therefore written by something
    else: interpolations read environment variables, and a few aliases stand for billions of values.

    Raises:
        ValueError: the file is not YAML, is too large, or is not resolved.
    """
    content = read_bounded(path, _MAX_BYTES, _FIX)
    try:
        text = content.decode()
        _check_events(text)
        config = OmegaConf.create(text)
        if not isinstance(config, DictConfig):
            raise ValueError("it is not a mapping of options")
        plain = to_plain(config)
        if not _has_text_keys(plain):
            raise ValueError("a key is not a text")
    except (yaml.YAMLError, ValueError, AssertionError, RecursionError, OmegaConfBaseException) as error:
        why = " ".join(str(error).split()) or "it is not a mapping of options"
        raise cannot_read(path, printable(why, 200), _FIX) from error
    return plain


def to_yaml(config: Mapping[str, Any]) -> str:
    """Return a config as the text of config.yaml.

    OmegaConf takes a tenth of a second for all groups, and most are the same in many runs, so each is kept.

    Args:
        config: plain values, of which at least one.
    """
    return "".join(_node_to_yaml(key, value) for key, value in config.items())


_written: dict[str, str] = {}


def _node_to_yaml(key: str, value: Any) -> str:
    name = repr((key, value))
    if name not in _written:
        if len(_written) >= _MAX_WRITTEN:
            _written.clear()
        _written[name] = OmegaConf.to_yaml({key: value})
    return _written[name]


def _check_events(text: str) -> None:
    """Check the parts of a YAML text before any value is built from them."""
    depth = num_values = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it contains a YAML alias")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            continue
        num_values += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        if depth > _MAX_DEPTH or num_values > _MAX_VALUES:
            raise ValueError(f"it has more than {_MAX_DEPTH} levels or {_MAX_VALUES:,} values")
        if event.tag is not None:
            raise ValueError("it contains a YAML tag")
        if isinstance(event, yaml.ScalarEvent):
            _check_text(event.value)


def _check_text(value: str) -> None:
    if len(value) > _MAX_LENGTH:
        raise ValueError(f"a value has more than {_MAX_LENGTH:,} characters")
    if "${" in value or value == "???":
        raise ValueError(f"it contains {printable(value, 80)}, and the config of a run is resolved")


def _has_text_keys(node: Any) -> bool:
    if isinstance(node, dict):
        return all(isinstance(key, str) and _has_text_keys(value) for key, value in node.items())
    return not isinstance(node, list) or all(map(_has_text_keys, node))
