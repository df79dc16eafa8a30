from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]

HEAVY = {"torch", "lightning", "torchvision", "numpy"}


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["model=lenett"], ["optimizer.lr=fast"]])
def test_help_configs_and_mistakes_need_no_torch_and_leave_no_files(
    profiled: Profiled, tmp_path: Path, arguments: list[str]
) -> None:
    process, modules = profiled("train", *arguments)
    assert process.returncode == ("=" in arguments[0])
    assert ("model" in process.stdout) or process.stderr
    assert not modules & HEAVY
    assert not list(tmp_path.iterdir())


def test_a_wrong_value_of_an_augmentation_step_is_reported_before_lightning_is_imported(profiled: Profiled) -> None:
    process, modules = profiled("train", "augment=moderate", "augment.flip.p=2")
    assert process.stderr == "augment.flip.p=2: must be at least 0 and at most 1."
    assert "torch" in modules
    assert "lightning" not in modules


def test_no_other_override_may_accompany_resume(profiled: Profiled, trained_run: Path) -> None:
    process, modules = profiled("train", f"resume={trained_run}", "seed=2")
    assert process.returncode == 1
    assert process.stderr.startswith("seed=2: must be left out, because resume= continues a run with its own config.")
    assert not modules & HEAVY


def test_a_missing_run_is_reported_with_the_newest_run(profiled: Profiled, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "digits-linear" / "first"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    process, _ = profiled("train", "resume=nope")
    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        "resume=nope: must be a run folder, which contains a config.yaml.",
        "The newest run is outputs/digits-linear/first",
    ]
