import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from firstlight.config import RunConfig
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec

SPEC = DataSpec(input_shape=(1, 8, 8), num_outputs=2, labels=("no", "yes"), mean=(0.5,), std=(0.25,))


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """Return the config of a run whose folder lies in the test's own folder."""
    return RunConfig.from_overrides("model=linear", f"output_dir={tmp_path / 'outputs'}")


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Return a function that makes a run folder in the working directory, written at a given second."""
    monkeypatch.chdir(tmp_path)
    config = RunConfig.from_overrides()

    def make(path: str, second: int) -> Path:
        folder = RunFolder.create(config, tmp_path / path)
        os.utime(folder.config_path, (second, second))
        return folder.path

    return make


def test_a_new_folder_lies_under_the_output_dir_and_the_name(config: RunConfig, tmp_path: Path) -> None:
    folder = RunFolder.create(config)
    assert folder.path.parent == tmp_path / "outputs" / "digits-linear"
    assert folder.config() == config
    assert folder.checkpoint_dir.is_dir()


def test_a_named_folder_is_made_with_its_parents(config: RunConfig, tmp_path: Path) -> None:
    assert RunFolder.create(config, tmp_path / "a" / "b").path == tmp_path / "a" / "b"
    assert not (tmp_path / "outputs").exists()


def test_runs_that_start_at_the_same_time_get_different_folders(config: RunConfig) -> None:
    start = threading.Barrier(16)

    def create(seed: int) -> RunFolder:
        start.wait()
        return RunFolder.create(replace(config, seed=seed))

    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(create, range(16)))
    assert len({folder.path for folder in folders}) == 16
    assert [folder.config().seed for folder in folders] == list(range(16))


def test_a_folder_with_a_run_is_refused_and_not_changed(config: RunConfig, tmp_path: Path) -> None:
    folder = RunFolder.create(config, tmp_path / "run")
    before = folder.config_path.read_bytes()
    with pytest.raises(ValueError, match=r"^run_dir=.*run: must be a new folder\. To fix: .* resume=.*run$"):
        RunFolder.create(replace(config, seed=2), tmp_path / "run")
    assert folder.config_path.read_bytes() == before


def test_an_output_dir_that_cannot_be_created_raises_an_error(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(ValueError, match=r"^output_dir=.*: cannot create a run folder"):
        RunFolder.create(config)


def test_a_run_dir_that_cannot_be_created_raises_an_error(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ValueError, match=r"^run_dir=.*: cannot create a run folder"):
        RunFolder.create(config, tmp_path / "file" / "run")
    with pytest.raises(ValueError, match=r"^run_dir=.*file: must be a folder, not a file\.$"):
        RunFolder.create(config, tmp_path / "file")


def test_a_config_is_read_as_it_was_written(tmp_path: Path) -> None:
    config = RunConfig.from_overrides("trainer.devices='0,1'", "name='1e-3'", "run_dir='null'", "optimizer.lr=1e-5")
    assert RunFolder.create(config, tmp_path / "run").config() == config


def test_a_folder_without_a_run_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^resume=.*: must be a run folder, which contains a config\.yaml\.$"):
        RunFolder.open(tmp_path, key="resume")
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(ValueError, match=r"this is the folder of a sweep\. To fix: continue it with -m resume=/"):
        RunFolder.open(tmp_path, key="resume")
    with pytest.raises(ValueError, match=r"this is the folder of a sweep\. To fix: name .* a job, such as run=.*/0$"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("path", ["nope", "outputs", "outputs/digits-mlp", "outputs/digits-mlp/nope"])
def test_the_error_for_a_missing_run_names_the_newest_run(make_run: Callable[[str, int], Path], path: str) -> None:
    newest = make_run("outputs/digits-mlp/b", 2000)
    make_run("outputs/digits-mlp/a", 1000)
    with pytest.raises(ValueError, match=r"\nThe newest run is ") as caught:
        RunFolder.open(path)
    assert Path(str(caught.value).rsplit(" ", 1)[-1]).absolute() == newest


def test_without_runs_the_error_for_a_missing_run_names_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^run=nope: must be a run folder, which contains a config\.yaml\.$"):
        RunFolder.open("nope")


def test_the_spec_is_read_as_it_was_written(config: RunConfig) -> None:
    folder = RunFolder.create(config)
    folder.write_spec(SPEC)
    assert RunFolder.open(folder.path).spec() == SPEC


def test_a_run_that_ended_before_its_first_step_has_no_spec(config: RunConfig) -> None:
    with pytest.raises(ValueError, match=r": must be a run that has trained, and this one ended before"):
        RunFolder.create(config).spec()


def test_metrics_are_empty_until_they_are_written(config: RunConfig) -> None:
    folder = RunFolder.create(config)
    assert folder.metrics() == {}
    folder.write_metrics({"val/loss": 0.5})
    assert folder.metrics() == {"val/loss": 0.5}


def test_the_error_for_a_missing_checkpoint_lists_the_existing_ones(config: RunConfig) -> None:
    folder = RunFolder.create(config)
    with pytest.raises(ValueError, match=r"^run=.*: must have a checkpoint, and no epoch of this run has ended\.$"):
        folder.existing_checkpoint("best")
    folder.checkpoint_path("last").touch()
    with pytest.raises(ValueError, match=r"^checkpoint=best: unknown checkpoint of .*/checkpoints; known: last\.$"):
        folder.existing_checkpoint("best")
    assert folder.existing_checkpoint("last") == folder.checkpoint_path("last")


def test_other_processes_wait_for_the_folder_of_the_first_process(config: RunConfig, tmp_path: Path) -> None:
    creation = threading.Timer(0.2, RunFolder.create, (config, tmp_path / "run"))
    creation.start()
    folder = RunFolder.await_first_process(tmp_path / "run")
    creation.join()
    assert folder.config() == config


def test_waiting_for_the_first_process_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^run_dir=.*run: the first process has not created it after 0 s\. To fix: "):
        RunFolder.await_first_process(tmp_path / "run", seconds=0)


def test_removal_deletes_empty_parents_and_keeps_other_runs(config: RunConfig) -> None:
    alone = RunFolder.create(config)
    alone.remove()
    assert not Path(config.output_dir).exists()
    first, second = RunFolder.create(config), RunFolder.create(config)
    first.remove()
    assert not first.path.exists()
    assert second.config() == config


def test_a_folder_with_other_files_is_refused(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"^run_dir=.*mine: must be an empty or a new folder\.$"):
        RunFolder.create(config, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_removal_keeps_files_that_are_not_of_the_run(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = RunFolder.create(config, tmp_path / "mine")
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    folder.remove()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
