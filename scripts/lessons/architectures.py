"""The command `architectures`: the cost of networks for images, as a table and a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs.figures.canvas import BLUE, check_output, new_figure, write_figure
from lessons.tables import table

_MAX_PIXELS = 4096  # of a side
# When they were published.
_YEARS = {
    "lenet": 1998,
    "alexnet": 2012,
    "vgg11": 2014,
    "vgg13": 2014,
    "vgg16": 2014,
    "vgg19": 2014,
    "googlenet": 2014,
    "inception": 2015,
    "resnet18": 2015,
    "resnet34": 2015,
    "resnet50": 2015,
    "mobilenet": 2018,
    "efficientnet_lite0": 2020,
}


@dataclass(frozen=True)
class Cost:
    """The size of a network.

    Attributes:
        layers: convolutions and linear layers.
        parameters: weights and biases.
        flops: floating point operations of the forward pass of one image; a multiplication and an addition are two.
    """

    layers: int
    parameters: int
    flops: int


def main() -> None:
    """Entry point of scripts/architectures.py."""
    run_command("architectures", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("lessons.architectures.architectures", config)
    architectures(**config)
    return {}


def architectures(
    names: Sequence[str],
    size: int = 224,
    channels: int = 3,
    num_classes: int = 1000,
    output: str | Path | None = "architectures.png",
) -> dict[str, Cost]:
    """Print and draw the cost of networks that classify images. They have no weights here, so this takes seconds.

    Args:
        names: names of configs/model, with their other options as in the file.
        size: height and width of the images; a network that needs larger ones gets them.
        channels: 3 for colour, 1 for grey.
        num_classes: number of outputs.
        output: path of the figure; None for none.

    Returns:
        The cost by the name of the network.

    Raises:
        ValueError: a name is unknown or not that of a network for images, an option is out of its range, or the figure
            cannot be written.
    """
    from firstlight.config.project import option_files

    for name in names:
        choose("names", name, option_files("model"), "network")
    if not names:
        raise ValueError("names=[]: must hold at least one name.")
    check_range("size", size, at_least=1, at_most=_MAX_PIXELS)
    check_range("channels", channels, at_least=1, at_most=4)
    check_range("num_classes", num_classes, at_least=2, at_most=100_000)
    path = check_output(output)
    costs = {name: _cost(name, size, channels, num_classes) for name in names}
    rows: list[list[str | float]] = [
        [name, str(_YEARS.get(name, "")), str(cost.layers), f"{cost.parameters:,}", f"{cost.flops / 1e6:,.1f}"]
        for name, cost in costs.items()
    ]
    print(f"images {channels}x{size}x{size}, {num_classes:,} classes\n")
    print(table(("network", "year", "layers", "parameters", "MFLOP"), rows))
    if path is not None:
        _draw(costs, path)
    return costs


def _cost(name: str, size: int, channels: int, num_classes: int) -> Cost:
    """Build a network without memory for its weights, and return its cost."""
    import torch
    from torch import nn

    from firstlight.config.instantiate import build
    from firstlight.networks.flops import flops_per_sample
    from firstlight.networks.network import class_of, num_parameters
    from firstlight.spec import DataSpec

    options = _options(name)
    target = _class_named(options.get("_target_", ""))
    kind = class_of(target)
    if target is None or "images" not in kind.accepts or kind.task not in (None, "classification"):
        raise ValueError(f"names={name}: must be a network that classifies images.")
    side = max(size, kind.min_size)
    labels = tuple(map(str, range(num_classes)))
    spec = DataSpec((channels, side, side), num_classes, labels, (0.5,) * channels, (0.25,) * channels)
    with torch.device("meta"):  # shapes without numbers
        network = build("model", options, spec)
    layers = sum(isinstance(module, nn.Linear | nn.Conv2d) for module in network.modules())
    return Cost(layers, num_parameters(network), flops_per_sample(network, spec))


def _options(name: str) -> dict[str, Any]:
    """Return the node of a network with the keys that it inherits, and without those of its initial weights."""
    import yaml

    from firstlight.config.project import option_files

    node = yaml.safe_load(option_files("model")[name].read_text(encoding="utf-8"))
    parents = [entry for entry in node.pop("defaults", ()) if isinstance(entry, str) and entry != "_self_"]
    inherited = {key: value for parent in parents for key, value in _options(parent).items()}
    return {key: value for key, value in (inherited | node).items() if key not in ("weights", "initialisation")}


def _class_named(path: str) -> Any:
    import importlib

    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name) if module else None


def _draw(costs: dict[str, Cost], path: Path) -> None:
    """Draw each network as a point: its operations and its parameters."""
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for name, cost in costs.items():
        place = max(cost.flops, 1) / 1e6, cost.parameters / 1e6
        axes.scatter(*place, s=20 + 2 * cost.layers, color=BLUE, alpha=0.8, zorder=2)
        axes.annotate(name, place, xytext=(8, 5), textcoords="offset points", fontsize=9)
    axes.set(xscale="log", yscale="log", xlabel="MFLOP of the forward pass of one image", ylabel="million parameters")
    axes.margins(0.16)
    axes.grid(alpha=0.3, which="major")
    axes.set_title("larger points have more layers", fontsize=9)
    write_figure(figure, path)
    print(f"figure  {path}")
