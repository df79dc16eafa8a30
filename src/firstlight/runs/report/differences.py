"""What differs between configs, key by key."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = "-"  # the text of a key that a config does not have
_LEFT_OUT = (
    "run_dir",
    "output_dir",
    "project",
    "resume",
    "trust",
    "name",
    "notes",
    "tags",
    "figures",
    "logger",
    "sweep",
)


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a config as texts with dotted keys, without null. The class `_target_` has the key of its node."""
    found: dict[str, str] = {}
    for key, value in node.items():
        if key == "_target_":
            found[prefix.rstrip(".")] = str(value)
        elif isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[prefix + key] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def differing(columns: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the keys whose values are not the same in all columns, each with its value in every column."""
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = {key: [column.get(key, ABSENT) for column in columns] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def labels(names: Sequence[str], columns: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a short name for each config: its values that the others do not have, such as `SGD lr=0.1`.

    Options of classes that differ themselves count only between configs with the same class.

    Args:
        names: the names of configs that do not differ.
        columns: the configs, see `settings`.
    """
    changed = differing(columns)
    top = [key for key in changed if not any(key.startswith(f"{other}.") for other in changed)]
    found = [_label({key: changed[key][place] for key in top}) for place in range(len(columns))]
    for label in {label for label in found if found.count(label) > 1}:
        same = [place for place, other in enumerate(found) if other == label]
        options = differing([columns[place] for place in same])
        own = [_label({key: values[number] for key, values in options.items()}) for number in range(len(same))]
        for place, text in zip(same, own, strict=True):
            added = text or (names[place] if own.count("") > 1 or not label else "")
            found[place] = f"{label} {added}".strip()
    return found


def _label(values: Mapping[str, str]) -> str:
    return " ".join(_named(key, value) for key, value in values.items() if value != ABSENT)


def _named(key: str, value: str) -> str:
    """Return the name of a class alone, and another value with the last part of its key."""
    is_class = "." not in key and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value)
    return value.rpartition(".")[2] if is_class else f"{key.rpartition('.')[2]}={value}"


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Return a config as `flat` does, without what changes no result: places, annotations, figures and loggers."""
    found = flat({key: value for key, value in config.items() if key not in _LEFT_OUT})
    return {key: value for key, value in found.items() if key != "data.dir"}


def from_defaults(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a config changes: each key with its value, and with the default for the same data and network.

    The data and the network are known by the name of the run, "<data>-<model>". Other names are compared with the
    config of `train.py` without any word.
    """
    return differing([settings(config), settings(_defaults(str(config.get("name", ""))))])


def _defaults(name: str) -> dict[str, Any]:
    from hydra.errors import HydraException

    from firstlight.config.compose import compose, to_plain

    data, _, model = name.partition("-")
    words = [f"data={data}", f"model={model}"] if re.fullmatch(r"\w+-\w+", name) else []
    try:
        return to_plain(compose(*words))
    except (HydraException, ValueError):  # a name of the user's own, or a data set of another project
        return to_plain(compose())
