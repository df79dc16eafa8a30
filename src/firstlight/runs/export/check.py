"""Check an exported file: a new process without firstlight gives the answers of the trained task."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.runs.export.formats import Format

TOLERANCE = 1e-4
_TIES = 1e-3

_SCRIPT = """
import sys
import numpy
path, source, target = sys.argv[1:]
{runner}
found = {{}}
with numpy.load(source) as inputs:
    for number in inputs:
        for place, output in enumerate(answer(inputs[number])):
            found[f"{{number}}_{{place}}"] = output
assert "firstlight" not in sys.modules
numpy.savez(target, **found)
"""


def check_file(
    path: Path, format: Format, inputs: Sequence[np.ndarray], expected: Sequence[Sequence[np.ndarray]]
) -> float:
    """Run a file on inputs in a new process, and return the largest difference from the expected outputs.

    Args:
        path: the exported file.
        format: its format.
        inputs: batches.
        expected: for each batch, the outputs.

    Raises:
        ValueError: the process fails, or an output differs by more than `TOLERANCE`, absolute for numbers up to 1 and
            relative for larger ones; or more than one class in a thousand differs.
    """
    found = answers(path, format, inputs)
    largest = 0.0
    for number, outputs in enumerate(expected):
        for place, want in enumerate(outputs):
            got = found[f"{number}_{place}"]
            if got.shape != want.shape:
                raise _wrong(f"an output has the shape {got.shape} and not {want.shape}")
            largest = max(largest, _difference(got, want))
    if not largest <= TOLERANCE:
        raise _wrong(f"its answers differ by {largest:.2g} from those of the run, more than {TOLERANCE:g}")
    return largest


def _difference(got: np.ndarray, want: np.ndarray) -> float:
    """Return the largest difference of two outputs. Of classes, one in a thousand may differ, where two logits tie."""
    if want.dtype.kind == "i":
        return float((got != want).mean() > _TIES)
    errors = np.abs(got - want) / np.maximum(1, np.abs(want))
    return float(errors.max(initial=0))


def answers(path: Path, format: Format, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Run a file on batches in a new process without firstlight.

    Returns:
        The outputs as `<number of the batch>_<number of the output>`.

    Raises:
        ValueError: the process fails.
    """
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "inputs.npz", Path(name) / "outputs.npz"
        arrays: dict[str, Any] = {str(number): batch for number, batch in enumerate(inputs)}
        np.savez(source, **arrays)
        code = _SCRIPT.format(runner=format.runner)
        command = [sys.executable, "-I", "-c", code, str(path), str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), cwd=name)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise _wrong(f"a process without firstlight cannot run it: {last[0]}")
        with np.load(target) as outputs:
            return dict(outputs)


def _wrong(why: str) -> ValueError:
    return ValueError(f"cannot export ({why}).")
