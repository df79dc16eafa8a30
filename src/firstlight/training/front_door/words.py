"""From the words and objects that a program gives to a config."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, open_dict

from firstlight.config import compose as compose_words
from firstlight.config.overrides import quoted
from firstlight.training.front_door.mistakes import short_mistakes

if TYPE_CHECKING:
    from torch import nn

_MAX_DESCRIPTION = 4000  # characters of a module in a config
_PLAIN = re.compile(r"[\w./+-]+")


@short_mistakes
def compose(
    *overrides: str,
    data: Any = None,
    model: "str | nn.Module | None" = None,
    epochs: int | None = None,
    **settings: Any,
) -> DictConfig:
    """Return the config of a training run, whose values can be read and changed.

    Args:
        overrides: the words of the command line, such as "data=mnist" and "optimizer.lr=3e-3".
        data: the name of a data set, or samples in memory: a pair (inputs, targets) of arrays, tensors or lists, a
            mapping from "train", "val" and "test" to such pairs, or a `torch.utils.data.Dataset`; see
            `firstlight.data.ArraySource`. Samples in memory are written to a store, which the config names.
        model: the name of a network, or a module that takes a batch (batch, ...) of preprocessed samples and returns
            an output for each class or target (batch, outputs). `train` needs the same module again.
        epochs: `trainer.max_epochs`.
        settings: other keys of the config without a dot, such as seed=2 or optimizer="sgd".

    Raises:
        ValueError: a word, a key or an option is unknown, or the samples do not fit together. The message is that of
            the command line.
    """
    given = [*overrides, *(_word(key, value) for key, value in settings.items())]
    if epochs is not None:
        given.append(f"trainer.max_epochs={epochs}")
    if isinstance(data, str):
        given.append(_word("data", data))
    elif data is not None:
        given += _data_words(data, given, named=model is not None)
    if isinstance(model, str):
        given.append(_word("model", model))
    if model is None or isinstance(model, str):
        return compose_words(*given)
    return _with_module(given, model)


def _word(key: str, value: Any) -> str:
    """Return a word of the command line."""
    text = _text(value)
    return f"{key}={text}" if not isinstance(value, str) or _PLAIN.fullmatch(text) else quoted(f"{key}={text}")


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_item(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_item, value)) + "]"
    return str(value)


def _item(value: Any) -> str:
    return _word("", value).removeprefix("=")


def _data_words(data: Any, given: list[str], named: bool) -> list[str]:
    """Keep samples in memory in a store, and return the words that name it."""
    from firstlight.data import ArraySource  # imports torch

    folder = compose_words(*(word for word in given if word.startswith("data.dir="))).data.dir
    source = ArraySource.keep(data, folder)
    is_table = source.store().spec.kind == "numbers"
    named = named or any(word.startswith("model=") for word in given)
    found = ["data=_arrays", f"data.checksum={source.checksum}", *(["model=mlp"] if is_table and not named else [])]
    if not any(word.startswith("name=") for word in given):
        found.append("name=arrays-${hydra:runtime.choices.model}")
    return found


def _with_module(given: list[str], model: "nn.Module") -> DictConfig:
    """Return a config that describes a module, as far as a text can."""
    from torch import nn  # late, because most callers need no torch for the config

    if not isinstance(model, nn.Module):
        hint = ". To fix: build it, as in model=Network()" if isinstance(model, type) else ""
        raise ValueError(f"model: must be the name of a network, or a torch.nn.Module, not {model!r}{hint}.")
    config = compose_words(*given, "model=_live", "model.name=_", "model.description=_")
    with open_dict(config):
        config.model.name = f"{type(model).__module__}.{type(model).__qualname__}"
        config.model.description = repr(model)[:_MAX_DESCRIPTION].replace("${", "$ {")
        config.name = config.name.replace("_live", type(model).__name__)
    return config
