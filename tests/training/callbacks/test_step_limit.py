from pathlib import Path

import pytest

from firstlight.config.compose import compose
from firstlight.training.callbacks import StepLimit
from firstlight.training.run import train
from helpers.runs import TINY, history


@pytest.mark.parametrize("max_epochs", [2, -1])
def test_a_run_ends_with_its_last_step_and_is_validated_there(max_epochs: int, tmp_path: Path) -> None:
    overrides = ["trainer.max_steps=50", f"trainer.max_epochs={max_epochs}"]
    metrics = train(compose(*TINY, *overrides), run_dir=tmp_path / "run")
    rows = history(tmp_path / "run")
    assert [row["step"] for row in rows] == ["41", "50"]
    assert float(rows[-1]["lr"]) < 1e-6  # the schedule ends with the steps
    assert metrics["val/loss"] == float(rows[-1]["val/loss"])


def test_a_limit_below_1_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"trainer\.max_steps=0: must be at least 1"):
        StepLimit(0)
