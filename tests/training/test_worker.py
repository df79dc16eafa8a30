import json
from pathlib import Path

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.training import worker
from firstlight.training.run import train
from firstlight.training.worker import record_early_end
from helpers.runs import TINY


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(RunConfig.from_overrides(*TINY, "trainer.max_epochs=1"), tmp_path / "run")


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_unexpected_error_before_the_training_prints_its_traceback_and_leaves_no_folder(
    devices: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from firstlight.data import Digits\nclass Broken(Digits):\n    def files(self): return 1 / 0\n"
    (tmp_path / "broken_digits.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # of the processes that train together
    words = ["data._target_=broken_digits.Broken", f"output_dir={tmp_path / 'outputs'}", f"trainer.devices={devices}"]
    with pytest.raises((ZeroDivisionError, ChildProcessError)):
        train(compose(*TINY, *words))
    printed = capfd.readouterr().err
    assert "Traceback (most recent call last)" in printed
    assert "ZeroDivisionError: division by zero" in printed
    assert not (tmp_path / "outputs").exists()


def test_an_error_while_training_is_recorded_in_the_run_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        train(compose(*TINY, "+trainer.callbacks=[{_target_: helpers.probe.Failing}]"), run_dir=tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["status"] == "failed"
    assert "RuntimeError: " in metrics["error"]
    assert "out of luck" in metrics["error"]
    assert "Traceback" in (tmp_path / "run" / "train.log").read_text()


def test_the_latest_early_end_replaces_an_earlier_one(folder: RunFolder) -> None:
    record_early_end(folder, OSError("disk full"), started=0.0)
    assert folder.metrics().keys() == {"status", "error", "seconds/total"}
    assert folder.metrics()["error"] == "OSError: disk full"
    record_early_end(folder, KeyboardInterrupt(), started=0.0)
    assert folder.metrics().keys() == {"status", "seconds/total"}
    assert folder.metrics()["status"] == "interrupted"


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (ValueError("seed=x: must be a number."), 1, "seed=x: must be a number.\n"),
        (RuntimeError("out of memory"), 1, "out of memory"),
        (SystemExit(), 130, ""),
    ],
    ids=["refused", "failed", "interrupted"],
)
def test_the_exit_status_says_how_a_process_ended(
    error: BaseException,
    status: int,
    printed: str,
    folder: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("firstlight.training.assemble.assemble", fail)
    assert worker._main(str(folder.path)) == status
    assert printed in capsys.readouterr().err


def test_a_process_that_trains_to_the_end_has_exit_status_0(folder: RunFolder) -> None:
    assert worker._main(str(folder.path)) == 0
    assert folder.metrics()["status"] == "completed"
