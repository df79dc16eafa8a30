import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.runs import command_line
from firstlight.training import launch
from firstlight.training.launch import check_shared_folder, is_first_process, num_processes


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_RANK", "RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)


@cache
def default() -> RunConfig:
    return RunConfig.from_overrides("trainer.accelerator=cpu")


def config(**trainer: Any) -> RunConfig:
    return default().with_trainer(**trainer)


@pytest.mark.parametrize(
    ("devices", "number"),
    [
        (1, 0),
        (2, 2),
        ("2", 2),
        ([3], 0),
        ([0, 2, 3], 3),
        ("0,1", 2),
        ("3,", 0),
        ("auto", 0),
        (-1, 0),
        ("-1", 0),
    ],
)
def test_processes_are_started_only_for_several_devices(devices: int | str | list[int], number: int) -> None:
    assert num_processes(config(devices=devices)) == number


@pytest.mark.parametrize(("devices", "number"), [(1, 1), (2, 2), ([0, 1], 2), ("auto", 1)])
def test_each_of_several_machines_starts_its_own_processes(devices: int | str | list[int], number: int) -> None:
    assert num_processes(config(devices=devices, num_nodes=2)) == number


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
def test_devices_auto_uses_all_gpus(monkeypatch: pytest.MonkeyPatch, accelerator: str) -> None:
    monkeypatch.setattr(launch, "_num_gpus", lambda: 4)
    assert num_processes(config(accelerator=accelerator, devices="auto")) == 4


def test_a_process_that_a_launcher_has_started_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert num_processes(config(devices=2, num_nodes=2)) == 0


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        ({"LOCAL_RANK": "0"}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"NODE_RANK": "1"}, False),
    ],
)
def test_exactly_one_process_is_the_first(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], first: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


def test_a_run_on_one_machine_needs_no_run_dir() -> None:
    check_shared_folder(config(devices=2), None)


@pytest.mark.parametrize(("local_rank", "num_nodes"), [(None, 2), ("0", 1)])
def test_several_machines_and_other_launchers_need_a_run_dir(
    local_rank: str | None, num_nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    with pytest.raises(ValueError, match="run_dir: must be set, to the same folder for all processes"):
        check_shared_folder(config(num_nodes=num_nodes), None)
    check_shared_folder(config(num_nodes=num_nodes), "runs/one")


def test_each_process_gets_its_rank_and_all_get_the_same_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(launch, "supervise", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launch.launch(tmp_path, 2)
    ((command, environments),) = started
    assert command[1:] == ["-P", "-m", "firstlight.training.worker", str(tmp_path)]
    first, second = environments
    assert first["PYTHONPATH"].split(os.pathsep) == [path or str(Path.cwd()) for path in sys.path]
    assert (first["LOCAL_RANK"], second["LOCAL_RANK"]) == ("0", "1")
    assert int(first["MASTER_PORT"]) > 0
    assert first | {"LOCAL_RANK": "1"} == second


@pytest.mark.parametrize("form", [["/somewhere/bin/firstlight"], ["scripts/train.py"]])
def test_the_processes_of_a_run_print_the_commands_of_the_program_that_the_user_called(
    form: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(launch, "supervise", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(sys, "argv", form)
    printed = command_line.command("evaluate")
    launch.launch(tmp_path, 2)
    ((_, environments),) = started
    monkeypatch.setattr(sys, "argv", ["/site-packages/firstlight/training/worker.py", "run"])
    monkeypatch.setattr(os, "environ", environments[0])
    assert command_line.command("evaluate") == printed


def test_the_processes_of_a_run_divide_the_cores_of_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(
        launch, "supervise", lambda _, environments: found.extend(each["OMP_NUM_THREADS"] for each in environments)
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "6")  # of the job, as the next
    monkeypatch.setenv("FIRSTLIGHT_CORES", "6")
    launch.launch(tmp_path, 2)
    monkeypatch.delenv("FIRSTLIGHT_CORES")  # now the user has set the number of threads
    launch.launch(tmp_path, 2)
    assert found == ["3", "3", "6", "6"]
