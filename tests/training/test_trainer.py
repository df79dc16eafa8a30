from pathlib import Path

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from firstlight.training.trainer import build_trainer
from helpers.runs import TINY, history
from helpers.small import IMAGES


def build(*overrides: str) -> tuple[RunConfig, Task]:
    config = RunConfig.from_overrides(*TINY, *overrides)
    return config, build_task(config, IMAGES)


@pytest.mark.parametrize(
    "override",
    ["trainer.max_epochs=0", "trainer.precision=bf16-true", "trainer.precision=64", "trainer.accelerator=abacus"],
)
def test_an_option_out_of_range_raises_an_error_that_names_it(override: str) -> None:
    key = "trainer: " if "accelerator" in override else f"{override}: must be"
    with pytest.raises(ValueError, match=key):
        build_trainer(*build(override))


@pytest.mark.parametrize("option", ["accumulate_grad_batches=2", "gradient_clip_val=1.0"])
def test_a_task_with_several_optimizers_refuses_accumulation_and_clipping(option: str) -> None:
    with pytest.raises(ValueError, match=rf"trainer\.{option}: must be left out with task=adversarial"):
        build_trainer(*build("model=gan", "model.base_channels=4", f"trainer.{option}"))


def test_accumulated_batches_count_as_one_step(tmp_path: Path) -> None:
    train(compose(*TINY, "trainer.accumulate_grad_batches=4"), run_dir=tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["11", "22"]  # 41 batches in each epoch
    assert float(history(tmp_path / "run")[-1]["lr"]) < 1e-6


def test_callbacks_of_the_config_are_called(tmp_path: Path) -> None:
    callback = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, stopping_threshold: 99}"
    train(compose(*TINY, f"+trainer.callbacks=[{callback}]"), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 1
