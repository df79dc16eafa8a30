"""The formats of exported networks: how each is written, and how a process without firstlight runs it."""

import importlib.util
import json
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.export import Dim, ExportedProgram

from firstlight.files import atomic_write
from firstlight.runs.export.portable import Portable


class Format(ABC):
    """A format of exported networks.

    Attributes:
        suffix: suffix of the file.
        runner: Python code of a process that knows only NumPy and the format's own library: it sets `answer`, a
            function from an input array to the list of output arrays. `path` is the file.
        packages: what must be installed to write the format, besides torch.
        can_quantize: whether `int8.quantize_file` takes its files.
    """

    suffix: ClassVar[str]
    runner: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    can_quantize: ClassVar[bool] = False

    def check_installed(self) -> None:
        """Check that the packages are installed.

        Raises:
            ValueError: one is missing.
        """
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise ValueError(
                    f"format: must be one whose packages are installed, and {package} is missing."
                    ' To fix: pip install "firstlight[export]", or set format=torch_export.'
                )

    @abstractmethod
    def write(self, program: ExportedProgram, network: Portable, metadata: dict[str, str], path: Path) -> None:
        """Write a file, atomically."""


class Onnx(Format):
    """ONNX, opset 20 or later, with the metadata as properties of the model."""

    suffix = ".onnx"
    packages = ("onnx", "onnxscript", "onnxruntime", "safetensors")
    can_quantize = True
    runner = """
import onnxruntime
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
answer = lambda inputs: session.run(None, {name: inputs})
"""

    def write(self, program: ExportedProgram, network: Portable, metadata: dict[str, str], path: Path) -> None:
        import onnx

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter about its own future
            made = torch.onnx.export(
                program,
                (network.example,),
                dynamo=True,
                verbose=False,
                input_names=[network.input_name],
                output_names=list(network.output_names),
            )
        assert made is not None
        model = made.model_proto
        onnx.helper.set_model_props(model, metadata)
        with atomic_write(path) as file:
            file.write(model.SerializeToString())


class TorchExport(Format):
    """A program of torch.export, with the metadata as the extra file metadata.json."""

    suffix = ".pt2"
    packages = ("safetensors",)
    runner = """
import torch
module = torch.export.load(path).module()
answer = lambda inputs: [output.numpy() for output in module(torch.from_numpy(inputs))]
"""

    def write(self, program: ExportedProgram, network: Portable, metadata: dict[str, str], path: Path) -> None:
        extra: dict[str, Any] = {"metadata.json": json.dumps(metadata)}
        with warnings.catch_warnings(), atomic_write(path) as file:
            warnings.simplefilter("ignore")  # about tied weights
            torch.export.save(program, file, extra_files=extra)


FORMATS: dict[str, Format] = {"onnx": Onnx(), "torch_export": TorchExport()}


def traced(network: Portable) -> ExportedProgram:
    """Return the operations of a network, for inputs of any length along its `axes`."""
    shapes = {"inputs": {index: Dim(name) for index, name in network.axes.items()}}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own operations, such as those of recurrent layers
        return torch.export.export(network, (network.example,), dynamic_shapes=shapes)
