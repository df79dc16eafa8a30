"""What the README claims, on real data and with the shipped defaults."""

from pathlib import Path
from statistics import mean

import pytest

from firstlight.config import compose
from firstlight.run import train

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("model", "accuracy"), [("lenet", 0.988), ("mlp", 0.980), ("linear", 0.92)])
def test_mnist(model: str, accuracy: float, real_data: Path, tmp_path: Path) -> None:
    metrics = train(compose("data=mnist", f"data.dir={real_data}", f"model={model}"), run_dir=tmp_path / "run")
    assert metrics["test/accuracy"] >= accuracy


def test_digits_on_five_seeds(real_data: Path, tmp_path: Path) -> None:
    overrides = [f"data.dir={real_data}"]
    runs = [train(compose(*overrides, f"seed={seed}"), run_dir=tmp_path / str(seed)) for seed in range(1, 6)]
    assert runs[0]["test/accuracy"] >= 0.975
    assert mean(run["test/accuracy"] for run in runs) >= 0.98
