"""An exported file as a task: the file computes, and the task makes rows of what it computes."""

import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.files import cannot_read
from firstlight.runs.serve.models.sources import check_file
from firstlight.spec import DataSpec
from firstlight.tasks import Classification, Language, Regression, Task

_EXPORT = "export the run again."
Answer = Callable[[Tensor], Tensor]  # the first output of a file


class _Classification(Classification):
    """Classification with the probabilities of a file."""

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        return {"probabilities": self.network(raw)}


class _Regression(Regression):
    """Regression with the numbers of a file."""

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        return {"numbers": self.network(raw)}


_TASKS: dict[str, type[Task]] = {"classification": _Classification, "regression": _Regression, "language": Language}


class _File(nn.Module):
    """The computation of a file as a network, from raw samples to its first output."""

    def __init__(self, answer: Answer, spec: DataSpec) -> None:
        super().__init__()
        self.answer = answer
        self.spec = spec

    def forward(self, raw: Tensor) -> Tensor:
        """Return the output for images, uint8, or rows; for tokens, the logarithms of the probabilities."""
        if self.spec.kind == "images":
            return self.answer(_rgba(raw))
        if self.spec.kind == "numbers":
            return self.answer(raw)
        length, missing = raw.shape[1], self.spec.input_shape[0] - raw.shape[1]
        padded = nn.functional.pad(raw.int(), (0, missing))  # any tokens may follow
        return self.answer(padded)[:, :length].clamp_min(1e-30).log()


def _rgba(images: Tensor) -> Tensor:
    """Return stored images (batch, channels, height, width) as decoded ones (batch, height, width, 4).

    They have their final size and colours already, so the file does not change their pixels.
    """
    opaque = torch.full_like(images[:, :1], 255)
    return torch.cat([images.expand(-1, 3, -1, -1), opaque], 1).permute(0, 2, 3, 1).contiguous()


def open_exported(path: Path, trust: bool) -> Task:
    """Return the task of an exported file, on the CPU.

    Args:
        path: a file of `export`, .onnx or .pt2.
        trust: whether a .pt2 file may be read, which can hold code.

    Raises:
        ValueError: the file cannot be read, was not exported by firstlight, or is of a task whose rows need more than
            the file's output.
    """
    check_file(path)
    answer, metadata = _OPEN[path.suffix](path, trust)
    try:
        spec, name = DataSpec.from_dict(json.loads(metadata["spec"])), metadata["task"]
    except (KeyError, ValueError, TypeError) as error:
        raise cannot_read(path, "firstlight has not exported it", _EXPORT) from error
    if name not in _TASKS:
        raise ValueError(
            f"file={path}: must be of a task among {', '.join(_TASKS)}, not {name}. To fix: serve run=RUN."
        )
    return as_task(name, spec, answer)


def as_task(name: str, spec: DataSpec, answer: Answer) -> Task:
    """Return the task whose rows follow from what a file computes.

    Args:
        name: "classification", "regression" or "language".
        spec: the data of the run that was exported.
        answer: the first output of the file for its input, see `Portable`.
    """
    return _TASKS[name](spec, _File(answer, spec), Augment(spec)).eval()


def _open_onnx(path: Path, trust: bool) -> tuple[Answer, dict[str, str]]:
    if importlib.util.find_spec("onnxruntime") is None:
        fix = 'pip install "firstlight[export]", or use a .pt2 file, which needs no package'
        raise ValueError(f"file={path}: must be used with the package onnxruntime. To fix: {fix}.")
    import onnxruntime  # type: ignore[import-untyped]

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name, metadata = session.get_inputs()[0].name, session.get_modelmeta().custom_metadata_map
    except Exception as error:  # onnxruntime has errors of its own for each kind of damage
        raise cannot_read(path, "it is no ONNX file, or it is damaged", _EXPORT) from error
    return lambda raw: torch.from_numpy(session.run(None, {name: raw.numpy()})[0]), metadata


def _open_torch(path: Path, trust: bool) -> tuple[Answer, dict[str, str]]:
    if not trust:
        raise ValueError(f"file={path}: must be a .onnx file unless trust=true, because a .pt2 file can hold code.")
    extra: dict[str, Any] = {"metadata.json": ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own format
            module = torch.export.load(path, extra_files=extra).module()
        metadata = json.loads(extra["metadata.json"] or "{}")
    except Exception as error:  # torch raises many kinds of errors for files that are not its own
        raise cannot_read(path, "it is no file of torch.export, or it is damaged", _EXPORT) from error
    return lambda raw: module(raw)[0], metadata


_OPEN = {".onnx": _open_onnx, ".pt2": _open_torch}
