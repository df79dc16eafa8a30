import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("name", "mistake", "message"),
    [
        ("train", "modle=mlp", "modle: unknown key, did you mean 'model'?"),
        ("train", "optimizer.lr=fast", "optimizer.lr=fast: must be a number (AdamW)."),
        ("train", "resume=nope", "resume=nope: must be a run folder"),
        ("evaluate", "split=test", "run: must be set, as in run=..."),
    ],
)
def test_a_mistake_ends_the_command_with_a_short_message(
    script: Script, tmp_path: Path, name: str, mistake: str, message: str
) -> None:
    process = script(name, mistake)
    assert process.returncode == 1
    assert process.stderr.startswith(message)
    assert len(process.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_traceback_is_shown_if_the_environment_requests_it(script: Script) -> None:
    process = script("train", "optimizer.lr=fast", HYDRA_FULL_ERROR="1")
    assert process.returncode == 1
    assert "Traceback" in process.stderr
    assert "ValueError: optimizer.lr=fast" in process.stderr


def test_a_path_may_have_any_letters(script: Script, tmp_path: Path, trained_run: Path) -> None:
    images = tmp_path / "tom's café (1)"
    images.mkdir()
    Image.new("L", (8, 8)).save(images / "black.png")
    predicted = script("predict", f"run={trained_run}", f"input={images}", f"output={images}/labels.csv")
    assert (predicted.returncode, predicted.stderr) == (0, "")
    assert str(images / "black.png") in (images / "labels.csv").read_text()


@pytest.mark.slow
def test_a_failed_job_does_not_end_the_sweep(script: Script, tmp_path: Path) -> None:
    process = script(
        "train", "-m", "optimizer.lr=fast,1e-2", "model=linear", "trainer.max_epochs=1", "trainer.accelerator=cpu",
        "sweep.on_mistake=skip",
    )  # fmt: skip
    assert process.returncode == 1, process.stderr
    (summary,) = tmp_path.glob("outputs/sweeps/*/summary.csv")
    with summary.open(newline="") as file:
        good, bad = csv.DictReader(file)
    assert (good["rank"], good["job"], good["status"], good["optimizer.lr"]) == ("1", "1", "completed", "0.01")
    assert float(good["val/loss"]) > 0
    assert (Path(good["run_dir"]) / "checkpoints" / "best.ckpt").is_file()
    assert (bad["rank"], bad["job"], bad["status"], bad["optimizer.lr"]) == ("2", "0", "failed", "fast")
    assert bad["error"] == "optimizer.lr=fast: must be a number (AdamW)."
    assert f"\nsummary {summary}\nbest " in process.stdout
    assert process.stdout.endswith(f"/train.py experiment={summary.with_name('best.yaml').relative_to(tmp_path)}\n")
    assert process.stderr == ""
