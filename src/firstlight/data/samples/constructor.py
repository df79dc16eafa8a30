"""The arguments of a class of another package: which it accepts, and which of them choose a split."""

import inspect
from collections.abc import Mapping
from typing import Any

from firstlight.checks import suggestion

# The values of the argument `split` in the data sets of torchvision; the first that is known counts.
_SPLITS = {"train": ("train", "trainval", "train-standard"), "val": ("val", "valid"), "test": ("test",)}


def arguments_of(cls: type) -> list[str]:
    """Return the arguments of a class, those that it passes to its base classes by `**kwargs` included."""
    found: dict[str, None] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        kinds = {parameter.kind for parameter in parameters}
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        found |= {parameter.name: None for parameter in parameters if parameter.kind not in variable}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return list(found)


def check_options(key: str, options: Mapping[str, Any], accepted: list[str], supplied: Mapping[str, str]) -> None:
    """Check the options for a class.

    Args:
        key: key of the options in the config.
        options: the options.
        accepted: the arguments of the class.
        supplied: arguments that are passed anyway, with what to write instead.

    Raises:
        ValueError: an option is unknown, or is passed anyway.
    """
    for name in options:
        if name in supplied:
            raise ValueError(f"{key}.{name}: must be left out. To fix: {supplied[name]}")
        if name not in accepted:
            others = [other for other in accepted if other not in supplied]
            raise ValueError(f"{key}.{name}: unknown option{suggestion(name, others, key)}")


def split_arguments(accepted: list[str], options: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the arguments that choose each split, the most usual first; `train` alone if there are none.

    An option that chooses a split leaves no choice: this split is all of the data.
    """
    if "train" in accepted and "train" not in options:
        return {"train": [{"train": True}], "test": [{"train": False}]}
    if "train" not in accepted and "split" in accepted and "split" not in options:
        return {name: [{"split": value} for value in values] for name, values in _SPLITS.items()}
    return {"train": [{}]}
