"""Quantize an ONNX file: 8-bit integers in place of the floats of its layers."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.files import atomic_write

_RECURRENT = {"LSTM", "GRU", "RNN"}
_LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def quantize_file(path: Path, input_name: str, samples: Sequence[np.ndarray]) -> None:
    """Quantize an ONNX file in place.

    The preprocessing remains as it is. Static quantization stores the ranges that the inputs of the layers have on the
    samples (Jacob et al. 2018). Texts and recurrent networks have no fixed ranges: a state depends on all tokens before
    it. Their files find the range of each input anew (dynamic quantization).

    Weights have 7 bits (`reduce_range`). With 8, processors without VNNI clip sums of two products to 16 bits, and a
    file would be accurate on one machine and wrong on another.

    Args:
        path: the file.
        input_name: name of the input.
        samples: batches of the training split.
    """
    import onnx
    from onnxruntime.quantization import quantize_dynamic, quantize_static  # type: ignore[import-untyped]
    from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as name, _without_advice():
        folded, made = Path(name) / "folded.onnx", Path(name) / "int8.onnx"
        # Folds the constants, among them the weights of recurrent layers, which torch stores in another order.
        quant_pre_process(path, folded, skip_symbolic_shape=True)
        graph = onnx.load(folded).graph
        if input_name == "tokens" or any(node.op_type in _RECURRENT for node in graph.node):
            quantize_dynamic(folded, made, per_channel=True, reduce_range=True)
        else:
            reader = _Reader(input_name, samples)
            layers = _layers(graph)
            quantize_static(folded, made, reader, per_channel=True, reduce_range=True, nodes_to_quantize=layers)
        model = onnx.load(made)
    used = {node.domain for node in model.graph.node}
    for entry in [entry for entry in model.opset_import if entry.domain not in used]:
        model.opset_import.remove(entry)  # onnxruntime names all operations that it knows
    kept = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    onnx.helper.set_model_props(model, kept | {"quantize": "int8"})
    with atomic_write(path) as file:
        file.write(model.SerializeToString())


def _layers(graph: Any) -> list[str]:
    """Return the names of the nodes that multiply by weights, and of the ReLUs, which become a part of them."""
    from onnx import TensorProto

    weights = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Relu" or (node.op_type in _LAYERS and node.input[1] in weights)
    ]


class _Reader:
    """Gives the samples one batch after another, in the form that onnxruntime wants."""

    def __init__(self, input_name: str, samples: Sequence[np.ndarray]) -> None:
        self.batches: Iterator[dict[str, np.ndarray]] = ({input_name: batch} for batch in samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence the advice that onnxruntime logs through the root logger."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
