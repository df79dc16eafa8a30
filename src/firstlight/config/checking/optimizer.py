"""Check the options of `optimizer` that every optimizer has, and the package that its class comes from."""

import ast
import importlib.util
from typing import Any

from firstlight.checks import suggestion
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.options.parameters import OPTIONS, ParameterOptions
from firstlight.config.values import check_value


def split_optimizer(node: dict[str, Any]) -> dict[str, Any]:
    """Check the options that every optimizer has, and return the node of the optimizer's class without them.

    Raises:
        ValueError: an option has the wrong type, a group has an unknown option, or the package timm is missing.
    """
    decays = node.get("decay_biases_and_norms", True)
    check_value("optimizer.decay_biases_and_norms", decays, _annotation(OPTIONS["decay_biases_and_norms"]))
    options, own = ParameterOptions.split(node)
    target = str(own["_target_"])
    if target.startswith("timm.") and importlib.util.find_spec("timm") is None:
        raise ValueError(
            f'optimizer._target_={target}: must be used with the package timm. To fix: pip install "firstlight[timm]"'
        )
    for name, group in options.groups.items():
        _check_group(f"optimizer.groups.{name}", group, target)
    return own


def _check_group(key: str, group: dict[str, Any], target: str) -> None:
    """Check that the optimizer has the options of a group, and that their values have the right types."""
    try:
        accepted = parameters(target)
    except ValueError:  # the check of the optimizer itself reports it
        return
    if accepted is None:
        return
    names, class_name = list(accepted)[1:], target.rpartition(".")[2]  # the first one is the parameters
    for option, value in group.items():
        if option not in names:
            raise ValueError(f"{key}.{option}: unknown option of {class_name}{suggestion(option, names, key)}")
        annotation = accepted[option]
        if annotation is not None:
            check_value(f"{key}.{option}", value, annotation, class_name)


def _annotation(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
