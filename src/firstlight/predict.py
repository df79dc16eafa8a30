"""Labels and probabilities for pictures, from a run folder alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstlight.environment import quieten
from firstlight.files import user_output, write_csv
from firstlight.load import load_run
from firstlight.pictures import bombs_refused, find_pictures, read_picture
from firstlight.run_folder import RunFolder
from firstlight.tasks import Classification

TOP = 5
_ROWS_ON_SCREEN = 20


def predict(
    run: str | Path,
    input: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    batch_size: int = 256,
    accelerator: str = "auto",
) -> list[dict[str, Any]]:
    """Predict for a picture, or for every picture in a folder.

    Writes a CSV with a row for each picture, in the run folder unless `output` says otherwise, and prints the
    first rows. Pictures that cannot be read are told and left out.

    Args:
        run: the run folder.
        input: a picture or a folder.
        output: path of the CSV.
        checkpoint: `best` or `last`.
        batch_size: pictures that pass the network at a time.
        accelerator: `cpu`, or `auto` and `gpu` for a GPU where there is one.

    Returns:
        The rows: `path`, `label`, `probability`, and `top_1` to `top_5` as "label=probability".

    Raises:
        ValueError: no such run, checkpoint or pictures, or none of them can be read.
    """
    quieten()
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: one picture or more.")
    paths = find_pictures(Path(input).expanduser())
    folder = RunFolder.open(run)
    task = load_run(run, checkpoint, _device(accelerator))
    if not isinstance(task, Classification):
        raise ValueError(
            f"run={run}: it does not classify, so there are no labels to predict (task: {task.task_name})."
        )
    spec = task.spec
    if spec.kind != "pictures":
        raise ValueError(f"run={run}: it was trained on {spec.kind}; predictions are for pictures.")
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    for names, batch in _batches(paths, spec.stored_shape, batch_size, problems):
        with torch.inference_mode():
            outputs = task.network(task.preprocess(batch.to(task.device)))
            probabilities = task.class_scores(outputs).softmax(1).cpu()
        rows += [_row(name, found, spec.labels) for name, found in zip(names, probabilities, strict=True)]
    for problem in problems:
        print(f"left out: {problem}")
    if not rows:
        raise ValueError(f"input={input}: none of the {len(paths)} pictures can be read.")
    target = Path(output).expanduser() if output else folder.path / "predictions.csv"
    with user_output("output", target):
        write_csv(target, rows)
    print(_table(rows))
    print(f"{len(rows):,} predictions in {target}")
    return rows


def _device(accelerator: str) -> torch.device:
    """`cpu`, or the accelerator that is there; `auto` takes it where there is one.

    Raises:
        ValueError: there is none, or no such word.
    """
    if accelerator not in ("auto", "cpu", "gpu", "cuda", "mps"):
        raise ValueError(f"accelerator={accelerator}: auto, cpu, gpu, cuda or mps.")
    found = torch.accelerator.current_accelerator(check_available=True) if accelerator != "cpu" else None
    if accelerator not in ("auto", "cpu") and (found is None or accelerator not in ("gpu", found.type)):
        raise ValueError(f"accelerator={accelerator}: there is none in this machine that torch can use.")
    return found or torch.device("cpu")


def _batches(
    paths: list[Path], shape: tuple[int, ...], batch_size: int, problems: list[str]
) -> Iterator[tuple[list[Path], torch.Tensor]]:
    """Pictures that can be read, with their paths; what is wrong with the others goes to `problems`."""
    for start in range(0, len(paths), batch_size):
        names, pictures = [], []
        with bombs_refused():
            for path in paths[start : start + batch_size]:
                try:
                    pictures.append(read_picture(path, shape))
                    names.append(path)
                except ValueError as error:
                    problems.append(str(error))
        if pictures:
            yield names, torch.from_numpy(np.stack(pictures))


def _row(path: Path, probabilities: torch.Tensor, labels: tuple[str, ...]) -> dict[str, Any]:
    top = probabilities.topk(min(TOP, len(labels)))
    ranked = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    row = {"path": str(path), "label": ranked[0][0], "probability": round(ranked[0][1], 6)}
    return row | {f"top_{place}": f"{label}={value:.6f}" for place, (label, value) in enumerate(ranked, start=1)}


def _table(rows: list[dict[str, Any]]) -> str:
    """The first rows, for the screen."""
    shown = rows[:_ROWS_ON_SCREEN]
    paths = [row["path"] if len(row["path"]) <= 60 else "…" + row["path"][-59:] for row in shown]
    widths = max(map(len, paths)), max(len(row["label"]) for row in shown)
    lines = [
        f"{path:{widths[0]}}  {row['label']:{widths[1]}}  {row['probability']:7.2%}"
        for path, row in zip(paths, shown, strict=True)
    ]
    if len(rows) > len(shown):
        lines.append(f"… and {len(rows) - len(shown):,} more")
    return "\n".join(lines)
