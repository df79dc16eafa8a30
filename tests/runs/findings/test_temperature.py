import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from firstlight.runs.findings.temperature import fit_temperature, loss_and_error, read_temperature, write_temperature
from firstlight.runs.run_folder import RunFolder


def samples(sharpness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits that are `sharpness` times those from which the classes are drawn."""
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(4000, 5, generator=random)
    targets = torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]
    return sharpness * logits, targets


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_minimizes_the_loss_and_calibrates(sharpness: float) -> None:
    logits, targets = samples(sharpness)
    found = fit_temperature(logits, targets)
    others = [loss_and_error(logits, targets, float(divisor))[0] for divisor in np.geomspace(0.1, 10, 200)]
    assert found == pytest.approx(sharpness, rel=0.1)
    loss, error = loss_and_error(logits, targets, found)
    before = loss_and_error(logits, targets, 1.0)
    assert loss <= min(*others, before[0])
    assert error < 0.03
    assert before[0] == pytest.approx(float(F.cross_entropy(logits, targets)), rel=1e-6)


def test_a_network_without_mistakes_gets_the_lowest_temperature() -> None:
    assert fit_temperature(torch.eye(3) * 5, torch.arange(3)) == pytest.approx(0.05)
    assert fit_temperature(torch.eye(3) * 5, torch.arange(3).roll(1)) == pytest.approx(20)


def test_the_temperature_belongs_to_one_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert read_temperature(folder, "best") == 1
    write_temperature(folder, "best", 1.5, {"val/ece_before": 0.1})
    assert read_temperature(folder, "best") == 1.5
    assert read_temperature(folder, "last") == 1
    assert json.loads((tmp_path / "calibration.json").read_text())["val/ece_before"] == 0.1


@pytest.mark.parametrize(
    "text", ["[1]", "{}", '{"temperature": "2"}', '{"temperature": -1}', '{"temperature": true}', "{"]
)
def test_a_damaged_file_is_reported(text: str, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ValueError, match=r"calibration\.json: cannot read .*calibrate=true"):
        read_temperature(RunFolder(tmp_path), "best")
