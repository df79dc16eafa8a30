from pathlib import Path

import pytest
from generate import write_all

from firstlight.config import CONFIG_DIR, compose
from firstlight.run import train


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


@pytest.fixture(scope="session")
def all_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    write_all(folder)
    return folder


@pytest.mark.parametrize("model", options("model"))
@pytest.mark.parametrize("data", options("data"))
def test_every_data_set_trains_with_every_network(data: str, model: str, all_data: Path, tmp_path: Path) -> None:
    overrides = [
        f"data={data}",
        f"data.dir={all_data}",
        f"model={model}",
        "data.batch_size=4",
        "trainer.max_steps=1",
        "+trainer.limit_val_batches=1",
        "+trainer.limit_test_batches=1",
    ]
    metrics = train(compose(*overrides, "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    assert metrics["status"] == "completed"
    assert 0 <= metrics["test/accuracy"] <= 1
