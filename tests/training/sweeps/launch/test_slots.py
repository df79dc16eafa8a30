import pytest

from firstlight.training.sweeps.launch import slots
from firstlight.training.sweeps.launch.slots import gpus, slot_environments


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(slots, "available_cores", lambda: 8)


@pytest.mark.parametrize(
    ("jobs", "names", "visible", "threads"),
    [
        (None, [], [None] * 4, "2"),  # a machine without GPU
        (1, [], [None], "8"),
        (3, [], [None] * 3, "2"),
        (20, [], [None] * 20, "1"),
        (None, ["0", "1"], ["0", "1"], "4"),  # one job per GPU
        (1, ["0", "1"], ["0,1"], "8"),  # as a single run
        (2, ["0", "1", "2", "3", "4"], ["0,1", "2,3,4"], "4"),
        (4, ["5", "GPU-7"], ["5", "GPU-7", "5", "GPU-7"], "2"),
    ],
)
def test_slots_divide_gpus_and_cores(
    jobs: int | None, names: list[str], visible: list[str | None], threads: str
) -> None:
    environments = slot_environments(jobs, names)
    assert [each.get("CUDA_VISIBLE_DEVICES") for each in environments] == visible
    assert {each["OMP_NUM_THREADS"] for each in environments} == {threads}


def test_the_number_of_threads_that_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert slot_environments(2, []) == [{}, {}]
    assert slot_environments(None, []) == [{}]
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert slot_environments(None, []) == [{}, {}]


def test_visible_gpus_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_PRETENDED_GPUS", "2")
    assert gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-a1")
    assert gpus() == ["3", "GPU-a1"]
