"""Random SIGKILLs over whole runs: whatever the instant, the resumed run ends with the same bits."""

import random
import shutil
import time
from pathlib import Path

import pytest

from firstlight.runs import RunFolder
from helpers.kills import start
from helpers.records import same_run

QUICK = ("trainer.max_epochs=4", "trainer.accelerator=cpu", "+trainer.limit_train_batches=12")
CASES = {
    "cnn": ("model=cnn", "model.filters=[4,8]", "augment=light", *QUICK),
    "lstm": (
        *("data=text", "data.length=16", "data.batch_size=8", "model=lstm", "model.hidden_size=16", *QUICK),
        *("+trainer.limit_val_batches=5", "+trainer.limit_test_batches=5", "trainer.log_every_n_steps=5"),
    ),
    "gan": ("model=gan", "model.base_channels=4", *QUICK),
}
NUM_KILLS = 34  # of each network, more than 100 together


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    for _ in range(2):  # the second time, the data and the imports are warm
        shutil.rmtree(whole, ignore_errors=True)
        started = time.perf_counter()
        process = start(whole, CASES[name])
        process.join()
        seconds = time.perf_counter() - started
        assert process.exitcode == 0
    clock, num_kills, num_runs, folder = random.Random(name), 0, 0, tmp_path / "run"
    while num_kills < NUM_KILLS or folder.exists():
        process = start(folder, CASES[name])
        process.join(clock.uniform(0, seconds) if num_kills < NUM_KILLS else None)
        if process.is_alive():
            process.kill()
            process.join()
            num_kills += 1
        if (folder / "metrics.json").exists():
            assert RunFolder(folder).metrics()["status"] == "completed"  # a SIGKILL leaves no other
            same_run(whole, folder)
            assert not [path for path in folder.rglob(".*") if path.name not in (".lock", ".owner")]
            shutil.rmtree(folder)
            num_runs += 1
        else:
            assert process.exitcode in (-9, 0)
    print(f"{name}: {num_kills} kills in {num_runs} runs of {seconds:.1f} s, all equal")
