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
from firstlight.runs.export.formats import FORMATS, traced
from firstlight.runs.export.portable import Portable
from firstlight.runs.export.samples import samples_for
from firstlight.runs.load import load_task


def export(
    run: str | Path,
    format: str = "onnx",
    output: str | Path | None = None,
    checkpoint: str = "best",
    trust: bool = False,
) -> Path:
    """Export a trained run to a file that takes raw samples and needs no firstlight, and check it.

    The preprocessing is inside: the resize, the crop, grey or colour, the inversion and the normalisation for images,
    and the standardisation for tables. The file holds the labels, the spec and the config as metadata, and the weights
    of the network lie beside it as .safetensors. A process without firstlight runs the file on 64 samples; if an answer
    differs from the run's by more than 1e-4, no file is left.

    Args:
        run: the run folder.
        format: "onnx" or "torch_export".
        output: path of the file; by default model.onnx or model.pt2 in the run folder.
        checkpoint: "best" or "last".
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The path of the file.

    Raises:
        ValueError: the run, the checkpoint or the format does not exist, the network cannot be exported, the file
            cannot be written, or its answers are not those of the run.
    """
    chosen = FORMATS[choose("format", format, FORMATS, "format")]
    chosen.check_installed()
    folder = RunFolder.open(run)
    network = Portable(load_task(run, checkpoint, trust=trust)).eval()
    target = user_path(folder.path / f"model{chosen.suffix}" if output is None else output, "output")
    if target.suffix != chosen.suffix:
        raise ValueError(f"output={target}: must end in {chosen.suffix} with format={format}.")
    inputs, origin = samples_for(network, folder, trust)
    program = traced(network)
    made = target.with_name(f".{target.name}.unchecked{chosen.suffix}")
    with output_file("output", target):
        try:
            chosen.write(program, network, _metadata(network, folder, trust), made)
            with torch.inference_mode():
                expected = [[part.numpy() for part in network(torch.from_numpy(batch))] for batch in inputs]
            difference = check_file(made, chosen, inputs, expected)
            made.replace(target)
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from error
        finally:
            made.unlink(missing_ok=True)
        _write_weights(network, target.with_suffix(".safetensors"))
    print(f"{target}  {_signature(network)}")
    print(f"checked without firstlight on {sum(map(len, inputs))} {origin}: largest difference {difference:.1g}")
    return target


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
