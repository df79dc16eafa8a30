"""The loss around a trained network, along two random directions."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from firstlight.checks import check_range, choose
from firstlight.data import BatchLoader, Split
from firstlight.randomness import derive, generator, reseed
from firstlight.runs import RunFolder
from firstlight.runs.device import pick_device
from firstlight.runs.evaluate import compute_metrics
from firstlight.runs.figures.canvas import BLACK, check_output, new_figure, write_figure
from firstlight.runs.load import load_task
from firstlight.tasks import Task
from firstlight.tasks.build import build_source
from lessons.tables import number

Direction = dict[str, Tensor]  # a tensor for each parameter that changes


def network_surface(
    run: str | Path,
    split: str = "val",
    checkpoint: str = "best",
    samples: int = 256,
    extent: float = 1.0,
    resolution: int = 25,
    seed: int = 1,
    accelerator: str = "auto",
    trust: bool = False,
    output: str | Path | None = "loss_surface.png",
) -> Tensor:
    """Draw the loss of a trained network over two random directions in the space of its weights (Li et al. 2018).

    Args:
        run: the run folder; its data is needed too.
        split: "val", "test" or "train".
        checkpoint: "best" or "last".
        samples: number of samples whose mean loss is drawn; the seed selects them, except in a text, which is read from
            its start.
        extent: the surface shows the weights w + a d1 + b d2 for a and b from -extent to extent.
        resolution: number of losses along each axis.
        seed: seed of the directions and of the samples.
        accelerator: see `runs.device.pick_device`.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.
        output: path of the figure; None for none.

    Returns:
        The losses (resolution, resolution): a row for each b, a column for each a.

    Raises:
        ValueError: the run, its data or its checkpoint cannot be read, the run has no single loss, an option is out of
            its range, or the figure cannot be written.
    """
    choose("split", split, ("val", "test", "train"), "split")
    check_range("samples", samples, at_least=1)
    check_range("extent", extent, above=0, below=math.inf)
    check_range("resolution", resolution, at_least=3, at_most=201)
    path = check_output(output)
    task = load_task(run, checkpoint, pick_device(accelerator), trust)
    if task.has_multiple_optimizers:
        raise ValueError(f"run={run}: must be a run with one loss, and task={task.task_name} has several.")
    batches = _batches(RunFolder.open(run), task, split, samples, seed, trust)
    directions = [filter_normalised(task.network, seed, name) for name in ("first", "second")]
    steps = torch.linspace(-extent, extent, resolution, dtype=torch.float64)
    losses = loss_grid(task, batches, directions, steps, seed)
    _report(losses, steps, split, directions)
    if path is not None:
        _draw(losses, steps, f"{split} loss", path)
    return losses


def filter_normalised(network: nn.Module, seed: int, name: str) -> Direction:
    """Return a random direction, each filter of which has the norm of the network's filter (Li et al. 2018, section 4).

    A filter is all weights of one output channel or unit. Biases and the parameters of normalisation layers do not
    change, as in the paper.

    Args:
        network: the trained network.
        seed: seed of the direction.
        name: the name of the direction; every name has its own random numbers.
    """
    direction = {}
    for key, parameter in network.named_parameters():
        if parameter.ndim > 1:
            random = generator(seed, "surface", name, key)
            drawn = torch.randn(parameter.shape, generator=random).to(parameter)
            norms = drawn.flatten(1).norm(dim=1).clamp_min(torch.finfo(drawn.dtype).tiny)
            scales = parameter.detach().flatten(1).norm(dim=1) / norms
            direction[key] = drawn * scales.reshape(-1, *[1] * (parameter.ndim - 1))
    return direction


def loss_grid(
    task: Task, batches: list[tuple[Tensor, Tensor]], directions: list[Direction], steps: Tensor, seed: int = 1
) -> Tensor:
    """Return the mean loss at w + steps[column] * first + steps[row] * second; w itself stays as it is.

    Batch normalisation keeps the statistics of the training. Where a task draws random numbers, every place of the grid
    draws the same.

    Args:
        task: the trained task, in evaluation mode.
        batches: raw inputs and targets.
        directions: the first and the second direction.
        steps: (resolution,).
        seed: seed of the task's random numbers.
    """
    parameters = dict(task.network.named_parameters())
    before = {key: parameters[key].detach().clone() for key in directions[0]}
    losses = torch.empty(len(steps), len(steps), dtype=torch.float64)
    try:
        for row, b in enumerate(steps.tolist()):
            for column, a in enumerate(steps.tolist()):
                with torch.no_grad():
                    for key, weights in before.items():
                        parameters[key].copy_(weights + a * directions[0][key] + b * directions[1][key])
                reseed(derive(seed, "surface"), task.device)
                losses[row, column] = compute_metrics(task, batches)["loss"]
    finally:
        with torch.no_grad():
            for key, weights in before.items():
                parameters[key].copy_(weights)
    return losses


def _batches(
    folder: RunFolder, task: Task, split: str, samples: int, seed: int, trust: bool
) -> list[tuple[Tensor, Tensor]]:
    config = folder.config(trust)
    source = build_source(config)
    _, splits = source.splits(config.seed)
    return list(BatchLoader(_part(splits[split], samples, seed), source.batch_size, device=task.device))


def _part(split: Split, samples: int, seed: int) -> Split:
    """Return a part of a split: random samples, or the start of a text."""
    if split.consecutive:
        return split.part(torch.arange(min(samples, len(split))))
    return split.part(torch.randperm(len(split), generator=generator(seed, "surface"))[:samples].sort().values)


def _report(losses: Tensor, steps: Tensor, split: str, directions: list[Direction]) -> None:
    num_weights = sum(tensor.numel() for tensor in directions[0].values())
    print(f"{num_weights:,} weights change along two random directions with the norms of the filters")
    middle = len(steps) // 2
    if len(steps) % 2:
        print(f"at the run's weights  {split}/loss {number(losses[middle, middle].item())}")
    finite = torch.where(losses.isfinite(), losses, math.inf)
    for name, index in (("lowest", finite.argmin()), ("highest", losses.nan_to_num(math.inf).argmax())):
        row, column = divmod(int(index), len(steps))
        place = f"({number(steps[column].item(), '.3g')}, {number(steps[row].item(), '.3g')})"
        print(f"{name:20}  {split}/loss {number(losses[row, column].item())} at {place}")


def _draw(losses: Tensor, steps: Tensor, label: str, path: Path) -> None:
    """Draw lines of equal loss. Their levels are further apart where the loss is larger."""
    import numpy as np

    values = np.ma.masked_invalid(losses.numpy())
    low, high = (values.min(), values.max()) if values.count() else (0.0, 1.0)
    levels = low + max(high - low, 1e-6 * abs(low), 1e-12) * np.linspace(0, 1, 16) ** 2
    figure = new_figure(5.6, 4.6)
    axis = figure.subplots()
    filled = axis.contourf(steps, steps, values, levels, cmap="cividis")
    axis.contour(steps, steps, values, levels[1:-1], colors="white", linewidths=0.5)
    figure.colorbar(filled, ax=axis, label=label, format="%.3g", ticks=levels[::3])
    axis.plot(0, 0, "X", color="white", markeredgecolor=BLACK, markersize=11, label="weights of the run")
    axis.set(xlabel="first direction, in norms of the filters", ylabel="second direction, in norms of the filters")
    axis.set_aspect("equal")
    axis.locator_params(nbins=5)
    figure.legend(loc="outside upper center", fontsize=9, frameon=False)
    write_figure(figure, path)
    print(f"figure  {path}")
