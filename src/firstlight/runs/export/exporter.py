"""Export a trained run to one file that runs without firstlight."""

import json
from importlib.metadata import version
from pathlib import Path

import torch
from omegaconf import OmegaConf

from firstlight.checks import choose
from firstlight.files import naming, output_file, user_path
from firstlight.runs import RunFolder
from firstlight.runs.export.check import check_file
from firstlight.runs.export.formats import FORMATS, Format, traced
from firstlight.runs.export.portable import Portable
from firstlight.runs.export.quantized import quantize_and_test
from firstlight.runs.export.samples import samples_for
from firstlight.runs.load import load_task

QUANTIZATIONS = ("int8",)


def export(
    run: str | Path,
    format: str = "onnx",
    output: str | Path | None = None,
    quantize: str | None = None,
    checkpoint: str = "best",
    trust: bool = False,
) -> Path:
    """Export a trained run to a file that takes raw samples and needs no firstlight, and check it.

    The preprocessing is inside: the resize, the crop, grey or colour, the inversion and the normalisation for images,
    and the standardisation for tables. The file holds the labels, the spec and the config as metadata, and the weights
    of the network lie beside it as .safetensors. A process without firstlight runs the file on 64 samples; if an answer
    differs from the run's by more than 1e-4, no file is left.

    With `quantize`, the checked file is then quantized. Its accuracy on the test split is printed before and after; a
    file that is much less accurate is not kept, see `quality`. No .safetensors lies beside a quantized file.

    Args:
        run: the run folder.
        format: "onnx" or "torch_export".
        output: path of the file; by default model.onnx, model.int8.onnx or model.pt2 in the run folder.
        quantize: "int8": 8-bit integers in place of the floats of the layers, with format "onnx"; None for floats.
        checkpoint: "best" or "last".
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The path of the file.

    Raises:
        ValueError: the run, the checkpoint, the format or the quantization does not exist, the network cannot be
            exported, the file cannot be written, its answers are not those of the run, or the data that a quantization
            needs is gone.
    """
    chosen = FORMATS[choose("format", format, FORMATS, "format")]
    _check_quantize(quantize, format)
    chosen.check_installed()
    folder = RunFolder.open(run)
    network = Portable(load_task(run, checkpoint, trust=trust)).eval()
    name = f"model{'' if quantize is None else f'.{quantize}'}{chosen.suffix}"
    target = user_path(folder.path / name if output is None else output, "output")
    if target.suffix != chosen.suffix:
        raise ValueError(f"output={target}: must end in {chosen.suffix} with format={format}.")
    made = target.with_name(f".{target.name}.unchecked{chosen.suffix}")
    with output_file("output", target):
        try:
            report = _write_and_check(network, folder, chosen, made, trust)
            if quantize is not None:
                report = quantize_and_test(made, chosen, network, folder, trust)
            made.replace(target)
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from error
        finally:
            made.unlink(missing_ok=True)
        if quantize is None:
            _write_weights(network, target.with_suffix(".safetensors"))
    print(f"{target}  {_signature(network)}\n{report}")
    return target


def _check_quantize(quantize: str | None, format: str) -> None:
    if quantize is None:
        return
    choose("quantize", quantize, QUANTIZATIONS, "quantization")
    if not FORMATS[format].can_quantize:
        raise ValueError(
            f"quantize={quantize}: must be null with format={format}, which has no integers of its own."
            " To fix: set format=onnx, whose files hold int8."
        )


def _write_and_check(network: Portable, folder: RunFolder, format: Format, path: Path, trust: bool) -> str:
    """Write a file with floats, compare its answers with those of the run, and return a line about it."""
    inputs, origin = samples_for(network, folder, trust)
    format.write(traced(network), network, _metadata(network, folder, trust), path)
    with torch.inference_mode():
        expected = [[part.numpy() for part in network(torch.from_numpy(batch))] for batch in inputs]
    difference = check_file(path, format, inputs, expected)
    return f"checked without firstlight on {sum(map(len, inputs))} {origin}: largest difference {difference:.1g}"


def _metadata(network: Portable, folder: RunFolder, trust: bool) -> dict[str, str]:
    spec = network.task.spec
    return {
        "labels": json.dumps(spec.labels),
        "spec": json.dumps(spec.to_dict()),
        "config": OmegaConf.to_yaml(folder.config(trust).to_plain()),
        "task": network.task.task_name,
        "outputs": json.dumps(network.output_names),
        "firstlight": version("firstlight"),
    }


def _write_weights(network: Portable, path: Path) -> None:
    from safetensors.torch import save_file

    weights = {name: value.contiguous().clone() for name, value in network.task.network.state_dict().items()}
    with naming(path):
        save_file(weights, path, metadata={"labels": json.dumps(network.task.spec.labels)})


def _signature(network: Portable) -> str:
    shape = [network.axes.get(index, str(size)) for index, size in enumerate(network.example.shape)]
    kind = str(network.example.dtype).removeprefix("torch.")
    return f"{network.input_name} {kind} ({', '.join(shape)}) -> {', '.join(network.output_names)}"
