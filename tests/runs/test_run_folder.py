import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import to_plain
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec

SPEC = DataSpec(input_shape=(1, 8, 8), num_outputs=2, labels=("no", "yes"), mean=(0.5,), std=(0.25,))


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"output_dir": str(tmp_path / "outputs"), "name": "digits-linear"}


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Makes a run folder that was written at a given second, in the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(path: str, second: int) -> Path:
        folder = RunFolder.create({"output_dir": "outputs", "name": "run"}, tmp_path / path)
        os.utime(folder.config_path, (second, second))
        return folder.path

    return make


def test_a_new_folder_lies_under_the_output_dir_and_the_name(config: dict[str, Any], tmp_path: Path) -> None:
    folder = RunFolder.create(config)
    assert folder.path.parent == tmp_path / "outputs" / "digits-linear"
    assert folder.config() == config
    assert folder.checkpoint_dir.is_dir()


def test_a_named_folder_is_made_with_those_above_it(config: dict[str, Any], tmp_path: Path) -> None:
    assert RunFolder.create(config, tmp_path / "a" / "b").path == tmp_path / "a" / "b"
    assert not (tmp_path / "outputs").exists()


def test_many_runs_that_begin_at_once_get_folders_of_their_own(config: dict[str, Any]) -> None:
    start = threading.Barrier(16)

    def create(seed: int) -> RunFolder:
        start.wait()
        return RunFolder.create(config | {"seed": seed})

    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(create, range(16)))
    assert len({folder.path for folder in folders}) == 16
    assert [folder.config().seed for folder in folders] == list(range(16))


def test_a_folder_with_a_run_is_refused_and_left_as_it_is(config: dict[str, Any], tmp_path: Path) -> None:
    folder = RunFolder.create(config, tmp_path / "run")
    before = folder.config_path.read_bytes()
    with pytest.raises(ValueError, match=r"there is a run already.*resume=.*run"):
        RunFolder.create(config | {"seed": 2}, tmp_path / "run")
    assert folder.config_path.read_bytes() == before


def test_an_output_dir_that_cannot_be_made_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(ValueError, match=r"output_dir=.*no run folder can be made"):
        RunFolder.create(config)


def test_a_run_dir_that_cannot_be_made_is_refused_by_its_own_key(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ValueError, match=r"run_dir=.*no run folder can be made"):
        RunFolder.create(config, tmp_path / "file" / "run")


def test_a_complete_config_comes_back_as_it_was(tmp_path: Path) -> None:
    config = RunConfig.from_overrides("trainer.devices='0,1'", "name='1e-3'", "run_dir='null'", "optimizer.lr=1e-5")
    assert to_plain(RunFolder.create(config, tmp_path / "run").config()) == config


def test_a_folder_without_a_run_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^resume=.*: no run folder, for there is no config\.yaml in it"):
        RunFolder.open(tmp_path, key="resume")


@pytest.mark.parametrize("asked", ["nope", "outputs", "outputs/digits-mlp", "outputs/digits-mlp/nope"])
def test_the_newest_run_is_hinted_at(make_run: Callable[[str, int], Path], asked: str) -> None:
    newest = make_run("outputs/digits-mlp/b", 2000)
    make_run("outputs/digits-mlp/a", 1000)
    with pytest.raises(ValueError, match=r"The newest run there is") as caught:
        RunFolder.open(asked)
    assert Path(str(caught.value).rsplit(" ", 1)[-1]).absolute() == newest


def test_no_run_is_hinted_at_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"config\.yaml in it\.$"):
        RunFolder.open("nope")


def test_the_spec_comes_back_as_it_was(config: dict[str, Any]) -> None:
    folder = RunFolder.create(config)
    folder.write_spec(SPEC)
    assert RunFolder.open(folder.path).spec() == SPEC


def test_a_run_that_ended_before_its_data_has_no_spec(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ended before it began to train"):
        RunFolder.create(config).spec()


def test_metrics_are_empty_until_they_are_written(config: dict[str, Any]) -> None:
    folder = RunFolder.create(config)
    assert folder.metrics() == {}
    folder.write_metrics({"val/loss": 0.5})
    assert folder.metrics() == {"val/loss": 0.5}


def test_a_missing_checkpoint_is_told_with_those_that_are_there(config: dict[str, Any]) -> None:
    folder = RunFolder.create(config)
    with pytest.raises(ValueError, match=r"checkpoint=best: .*\(there: none\)"):
        folder.existing_checkpoint("best")
    folder.checkpoint_path("last").touch()
    with pytest.raises(ValueError, match=r"checkpoint=best: .*\(there: last\)"):
        folder.existing_checkpoint("best")
    assert folder.existing_checkpoint("last") == folder.checkpoint_path("last")


def test_the_folder_that_the_first_process_makes_is_awaited(config: dict[str, Any], tmp_path: Path) -> None:
    maker = threading.Timer(0.2, RunFolder.create, (config, tmp_path / "run"))
    maker.start()
    folder = RunFolder.await_first_process(tmp_path / "run")
    maker.join()
    assert folder.config() == config


def test_a_first_process_that_makes_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the first process made no run there"):
        RunFolder.await_first_process(tmp_path / "run", seconds=0)


def test_a_removed_run_leaves_nothing_and_its_neighbours(config: dict[str, Any]) -> None:
    alone = RunFolder.create(config)
    alone.remove()
    assert not Path(config["output_dir"]).exists()
    first, second = RunFolder.create(config), RunFolder.create(config)
    first.remove()
    assert not first.path.exists()
    assert second.config() == config


def test_a_folder_with_something_else_in_it_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match="not empty"):
        RunFolder.create(config, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_removal_leaves_what_is_not_of_the_run(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = RunFolder.create(config, tmp_path / "mine")
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    folder.remove()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
