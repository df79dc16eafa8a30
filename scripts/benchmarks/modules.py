"""How many modules of firstlight a training run passes before its first step.

uv run scripts/benchmarks/modules.py

A module counts if one of its functions is called; imports alone do not count. The data is a tiny MNIST in the official
format. The run is repeated, so that the second one finds the data as arrays, as every run but the first does.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

SOURCES = Path(__file__).resolve().parents[2] / "src" / "firstlight"
OPTIMIZED = 1  # a flag of code objects: functions have it, class bodies and modules do not


def write_mnist(folder: Path) -> None:
    """Write four IDX files with 200 black images to train on and 50 to test on."""
    folder.mkdir(parents=True)
    for prefix, number in (("train", 200), ("t10k", 50)):
        sizes = number.to_bytes(4, "big")
        images = bytes([0, 0, 8, 3]) + sizes + 2 * (28).to_bytes(4, "big") + bytes(number * 28 * 28)
        labels = bytes([0, 0, 8, 1]) + sizes + bytes(label % 10 for label in range(number))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)


def count_here(words: list[str]) -> None:
    """Train in this process, and print the modules that are passed before the first step."""
    passed: dict[str, str] = {}

    def watch(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(str(SOURCES)) or not code.co_flags & OPTIMIZED:
            return
        if code.co_name == "training_step":
            sys.setprofile(None)
        elif not code.co_name.startswith("<"):  # comprehensions in class bodies run at import
            passed.setdefault(str(Path(code.co_filename).relative_to(SOURCES)), code.co_name)

    from firstlight import train
    from firstlight.config import RunConfig

    sys.setprofile(watch)
    train(RunConfig.from_overrides(*words))
    sys.setprofile(None)
    print(f"\n{len(passed)} modules before the first step:")
    print("\n".join(f"  {module}: {function}" for module, function in passed.items()))


def main() -> None:
    """Count in a process of its own, twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_mnist(folder / "MNIST" / "raw")
        words = ["data=mnist", "model=lenet", f"data.dir={folder}", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
        for run in ("first", "second"):
            command = [sys.executable, __file__, *words, f"run_dir={folder / run}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
            print(f"{run} run" + done.stdout[done.stdout.rindex("\n\n") :])


if __name__ == "__main__":
    count_here(sys.argv[1:]) if len(sys.argv) > 1 else main()
