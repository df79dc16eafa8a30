"""Train six short runs and print their metrics and the SHA-256 of their best weights, as JSON.

    uv run python tests/golden/record.py > tests/golden/runs.json

Run it again only where a change of the numbers is wanted, and say why in the commit. The instruction sets are fixed, so
that processors of different generations give the same bits.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

RUNS = {
    "digits lenet": ["trainer.max_epochs=3"],
    "digits vae": ["model=vae", "model.hidden_sizes=[8]", "trainer.max_epochs=2"],
    "text lstm": ["data=text", "data.length=32", "model.hidden_size=16", "+trainer.limit_train_batches=20"],
    "diabetes mlp": ["data=diabetes", "model=mlp", "trainer.max_epochs=20"],
    "digits gan": ["model=gan", "model.base_channels=4", "trainer.max_epochs=2"],
    "digits cnn frozen, augmented views": [
        "model=cnn",
        "model.filters=[4,8]",
        "model.freeze=backbone",
        "augment=light",
        "augment.views=2",
        "trainer.max_epochs=2",
    ],
}
SHORT_TEXT = ["trainer.max_epochs=1", "+trainer.limit_val_batches=10", "+trainer.limit_test_batches=10"]
FIXED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OMP_NUM_THREADS": "1",
}
NOT_REPEATABLE = ("seconds/", "samples_per_second", "gflops_per_second", "run_dir")


def record(words: list[str], folder: Path) -> dict[str, Any]:
    """Metrics without times, and the hash of the weights in the order of the checkpoint, whatever their names."""
    import torch

    from firstlight.config.compose import compose
    from firstlight.training.run import train

    words = [*words, f"data.dir={folder / 'data'}", "trainer.accelerator=cpu", "figures=false"]
    metrics = train(compose(*words), run_dir=folder / "run")
    state = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    for value in state.values():
        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    kept = {name: value for name, value in metrics.items() if not name.startswith(NOT_REPEATABLE)}
    return {"weights": digest.hexdigest(), "metrics": kept}


def main() -> None:
    """Record every run."""
    if any(os.environ.get(key) != value for key, value in FIXED.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | FIXED)
    import torch

    found: dict[str, Any] = {"torch": torch.__version__, "runs": {}}
    for name, words in RUNS.items():
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            extra = SHORT_TEXT if name.startswith("text") else []
            found["runs"][name] = record([*words, *extra], Path(folder))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
