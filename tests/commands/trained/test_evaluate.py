import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


def test_the_script_prints_the_metrics_without_importing_lightning(profiled: Profiled, trained_run: Path) -> None:
    process, modules = profiled("evaluate", f"run={trained_run}", "accelerator=cpu", "figures=false")
    assert (process.returncode, process.stderr) == (0, "")
    metrics = json.loads((trained_run / "metrics.json").read_text())
    header, row = (line.split() for line in process.stdout.splitlines()[:2])
    assert "confusion matrix" in process.stdout
    assert row == ["test", *(f"{metrics[f'test/{name}']:.6f}" for name in header)]
    assert "loss" in header
    assert not modules & {"lightning", "torchvision", "torchmetrics", "matplotlib"}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("accelerator=3", "accelerator=3: must be text (evaluate)."),
        ("run=nope", "run=nope: must be a run folder, which contains a config.yaml."),
    ],
)
def test_a_mistake_is_reported_before_torch_is_imported(profiled: Profiled, mistake: str, message: str) -> None:
    process, modules = profiled("evaluate", "run=elsewhere", mistake)
    assert process.returncode == 1
    assert process.stderr == message
    assert not modules & {"torch", "numpy"}
