from typing import Any

import pytest

from firstlight.training import launch
from firstlight.training.launch import check_shared_folder, is_first_process, num_processes


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_RANK", "RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)


def config(**trainer: Any) -> dict[str, Any]:
    return {"trainer": {"accelerator": "cpu"} | trainer}


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
def test_on_several_machines_each_starts_its_own(devices: int | str | list[int], number: int) -> None:
    assert num_processes(config(devices=devices, num_nodes=2)) == number


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
def test_all_gpus_count_where_no_number_is_given(monkeypatch: pytest.MonkeyPatch, accelerator: str) -> None:
    monkeypatch.setattr(launch, "_num_gpus", lambda: 4)
    assert num_processes(config(accelerator=accelerator, devices="auto")) == 4


def test_a_process_that_a_launcher_started_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_one_process_of_all_is_the_first(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], first: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


def test_one_process_on_one_machine_needs_no_run_dir() -> None:
    check_shared_folder(config(devices=2), None)


def test_several_machines_need_one_run_dir() -> None:
    with pytest.raises(ValueError, match="give them all the same run_dir="):
        check_shared_folder(config(num_nodes=2), None)
    check_shared_folder(config(num_nodes=2), "runs/shared")


def test_processes_of_another_launcher_need_one_run_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match="give them all the same run_dir="):
        check_shared_folder(config(), None)
    check_shared_folder(config(), "runs/shared")
