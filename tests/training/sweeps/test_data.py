"""The data of a sweep is prepared once, and its jobs use the same pages of memory."""

from pathlib import Path
from typing import Any

import pytest

from firstlight.data import store
from firstlight.runs.sweeps import Job
from firstlight.training.sweeps.checking import check_jobs
from firstlight.training.sweeps.launch.local import CAN_FORK
from firstlight.training.sweeps.launch.work import train_job
from firstlight.training.trainees import task_trainee
from helpers.runs import TINY


def mapped_file(address: int) -> str:
    """Return the file whose pages are at an address of this process; empty if there is none."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        places, *rest = line.split(maxsplit=5)
        first, last = (int(place, 16) for place in places.split("-"))
        if first <= address < last:
            return rest[4] if len(rest) > 4 else ""
    return ""


@pytest.mark.skipif(not CAN_FORK, reason="/proc is that of Linux")
def test_the_check_prepares_the_data_and_jobs_map_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(tmp_path / "data"))
    built, mapped = [], []
    build, load = store._build, task_trainee.build_loaders

    def count(path: Path, *arguments: Any) -> None:
        built.append(path)
        build(path, *arguments)

    def look(config: Any, size: int, splits: Any, *arguments: Any) -> Any:
        mapped.append(mapped_file(splits["train"].inputs.data_ptr()))
        return load(config, size, splits, *arguments)

    monkeypatch.setattr(store, "_build", count)
    monkeypatch.setattr(task_trainee, "build_loaders", look)
    words = [[*TINY, "trainer.max_epochs=1", f"seed={seed}"] for seed in (1, 2)]
    checked = check_jobs(words, ("",), in_process=True)
    assert (checked.mistakes, len(built)) == ({}, 1)
    for number, config in checked.configs.items():
        train_job(Job(number, tuple(words[number]), config, tmp_path / str(number), tmp_path / "log"))
    assert len(built) == 1
    assert mapped == [str(built[0] / "train.inputs.npy")] * 2
